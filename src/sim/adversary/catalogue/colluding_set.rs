//! Gateways that share their keys and fork the chain by plan (CONSENSUS.md §5.2): when one of them leads, it gives one half of the
//! honest gateways block A with all their votes for it, and the other half block B with all their votes for that.
//!
//! With at most f of them one half at most can reach a quorum. From 2q − n on both do, and the chain forks: the theorem
//! promises nothing beyond f.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "shares its keys with other liars and forks the chain",
    "Each half is shown another block with all the liars' votes; f liars are too few for both.",
)
.fires(&[]);

#[derive(Clone, Default)]
pub(super) struct ColludingSet;

impl Behaviour for ColludingSet {
    fn on_input(&mut self, cx: &mut Cx<'_, '_>, _aim: &mut Aim, _input: &Input<'_>) -> Pass {
        let (me, key) = (cx.replica_id(), cx.css().and_then(|css| css.signer()));
        if let Some(key) = key.filter(|_| !cx.ring.contains(me)) {
            cx.ring.join(me, key);
        }
        Pass::On
    }

    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        if message.info.slot.is_some_and(|slot| cx.ring.forked.contains(&slot)) {
            return;
        }
        let Some((_, signed, proposal)) = proposal_of(&message.output).filter(|_| message.strikes) else {
            return out.push(message.output);
        };
        let mut other = Proposal::new(proposal.header.clone(), proposal.txs.clone());
        other.header.time.0 += 1;
        let victims: Vec<NodeId> =
            cx.others().iter().copied().filter(|to| !cx.ring.contains(ReplicaId(to.0))).collect();
        let (low, high) = victims.split_at(victims.len() / 2);
        for (half, block) in [(low, proposal.clone()), (high, Arc::new(other))] {
            let votes = story(cx, signed.statement, block);
            let packets = votes.into_iter().map(|vote| Packet::Pbft(Arc::new(vote)));
            out.extend(packets.map(|packet| Output::Fan { to: half.into(), packet }));
        }
        cx.ring.forked.extend(message.info.slot);
    }
}

/// A block with every vote for it that the ring can give.
fn story(cx: &Cx<'_, '_>, statement: Statement, block: Arc<Proposal>) -> Vec<Message> {
    let digest = block.digest();
    let vote = |kind, sender| cx.ring.sign(Statement { kind, sender, digest, ..statement });
    let leader = statement.sender;
    let proposal = vote(Kind::PrePrepare, leader).map(|signed| Message::PrePrepare(signed, block));
    let backups = cx.ring.members().filter(|who| *who != leader);
    let prepares = backups.filter_map(|who| vote(Kind::Prepare, who)).map(Message::Prepare);
    let commits = cx.ring.members().filter_map(|who| vote(Kind::Commit, who)).map(Message::Commit);
    proposal.into_iter().chain(prepares).chain(commits).collect()
}
