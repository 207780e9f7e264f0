//! Who broke the theorem (CONSENSUS.md §3.14 item 9): one scripted history per branch of the argument, each with two
//! conflicting commit certificates at n = 4, where two liars suffice.

use crate::support::*;
use crate::view_changes::*;
use crate::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use voltcast::ledger::Seq;
use voltcast::pbft::certificate::CommitCertificate;
use voltcast::pbft::message::{Message, NewView, Publish};
use voltcast::sim::forensics::Forensics;

struct History {
    cfg: Arc<Config>,
    said: Vec<Message>,
    /// A and B, for slot 1.
    blocks: [Arc<Proposal>; 2],
}

const A: usize = 0;
const B: usize = 1;

impl History {
    fn new() -> Self {
        let cfg = config(4);
        let blocks = [1, 2].map(|number| proposal(&cfg, 1, vec![sigma(number)]));
        History { cfg, said: vec![], blocks }
    }

    fn digest(&self, block: usize) -> Digest {
        self.blocks[block].digest()
    }

    fn say(&mut self, kind: Kind, who: u16, view: u64, block: usize, just: Digest) {
        let signed = statement(&self.cfg, kind, who, view, 1, self.digest(block), just);
        self.said.push(match kind {
            Kind::PrePrepare => Message::PrePrepare(signed, self.blocks[block].clone()),
            Kind::Prepare => Message::Prepare(signed),
            _ => Message::Commit(signed),
        });
    }

    /// Proposal, prepares of the backups among `voters`, commits of all of them; the certificate is published.
    fn round(&mut self, view: u64, block: usize, just: Digest, voters: [u16; 3]) {
        let primary = (view % 4) as u16;
        self.say(Kind::PrePrepare, primary, view, block, just);
        for who in voters.into_iter().filter(|who| *who != primary) {
            self.say(Kind::Prepare, who, view, block, just);
        }
        self.commit(view, block, just, voters);
    }

    fn commit(&mut self, view: u64, block: usize, just: Digest, voters: [u16; 3]) {
        let digest = self.digest(block);
        let sig = |who| statement(&self.cfg, Kind::Commit, who, view, 1, digest, just).sig;
        let commits = voters.map(|who| (ReplicaId(who), sig(who))).to_vec();
        let cert = Arc::new(CommitCertificate { view: View(view), seq: Seq(1), digest, just, commits });
        let block = Arc::new(Follower::new(self.cfg.clone()).chain().preview(Some(&self.blocks[block])));
        voters.iter().for_each(|who| {
            self.said.push(Message::Commit(statement(&self.cfg, Kind::Commit, *who, view, 1, digest, just)))
        });
        self.said.push(Message::Publish(Publish { block, cert }));
    }

    fn open(&mut self, nv: NewView) -> Digest {
        let just = nv.just();
        self.said.push(Message::NewView(Arc::new(nv)));
        just
    }

    /// Culprits with the classes that convict them. There is a conflict, and every finding shows signatures of the culprit.
    fn judge(&self) -> BTreeMap<u16, BTreeSet<&'static str>> {
        let all = Forensics::of(&self.cfg, self.said.iter(), &mut StubVerifier);
        let (one, other) = all.conflict().expect("two certificates for one slot");
        assert!(one.digest != other.digest);
        let found = all.culprits(&self.cfg, &mut StubVerifier);
        for (who, findings) in &found {
            for signed in findings.values().flat_map(|finding| finding.statements()) {
                assert_eq!(signed.statement.sender, *who);
                assert!(StubVerifier.statement(*who, &signed.statement, &signed.sig));
            }
        }
        found
            .into_iter()
            .map(|(who, findings)| (who.0, findings.into_keys().map(|charge| charge.id()).collect()))
            .collect()
    }

    fn convicts<const N: usize>(&self, class: &'static str, liars: [u16; N]) {
        let found = self.judge();
        assert!(liars.len() >= usize::from(self.cfg.quorum.breaking()));
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), liars, "{found:?}");
        assert!(found.values().all(|classes| classes.contains(class)), "{found:?}");
    }
}

#[test]
pub fn two_certificates_of_one_view_convict_their_common_signers_of_eq() {
    let mut history = History::new();
    history.round(0, A, Digest::ZERO, [0, 1, 2]);
    history.round(0, B, Digest::ZERO, [0, 1, 3]);
    history.convicts("EQ", [0, 1]);
}

#[test]
pub fn commits_without_prepares_convict_all_who_gave_them_of_cw() {
    let mut history = History::new();
    history.round(0, A, Digest::ZERO, [0, 1, 2]);
    let nv = new_view(&history.cfg, vec![], &[]);
    let just = history.open(nv);
    history.commit(1, B, just, [0, 1, 3]);
    assert!(history.judge().iter().filter(|(_, classes)| classes.contains("CW")).count() >= 3);
}

#[test]
pub fn votes_under_a_new_view_that_nobody_sent_are_uj() {
    let mut history = History::new();
    history.round(0, A, Digest::ZERO, [0, 1, 2]);
    history.round(1, B, Digest([5; 32]), [0, 1, 3]);
    history.convicts("UJ", [0, 1, 3]);
}

#[test]
pub fn votes_against_the_new_view_they_name_are_oj() {
    let mut history = History::new();
    history.round(0, A, Digest::ZERO, [0, 2, 3]);
    let cert = prepared(&history.cfg, 1, history.digest(A));
    let v_set = (1..4).map(|who| view_change(&history.cfg, who, 1, vec![cert.clone()])).collect();
    let nv = new_view(&history.cfg, v_set, &[(1, history.digest(A))]);
    let just = history.open(nv);
    history.round(1, B, just, [0, 1, 3]);
    history.convicts("OJ", [0, 1, 3]);
}

#[test]
pub fn votes_under_an_invalid_new_view_are_oj_and_its_signer_is_iv() {
    let mut history = History::new();
    history.round(0, A, Digest::ZERO, [0, 2, 3]);
    let v_set = (2..4).map(|who| view_change(&history.cfg, who, 1, vec![])).collect();
    let nv = new_view(&history.cfg, v_set, &[]);
    let just = history.open(nv);
    history.round(1, B, just, [0, 1, 3]);
    let found = history.judge();
    assert!([0, 1, 3].iter().all(|who| found[who].contains("OJ")), "{found:?}");
    assert!(found[&1].contains("IV"));
}

#[test]
pub fn who_committed_and_hid_it_in_a_valid_new_view_is_hp_and_who_believed_it_is_not_named() {
    let mut history = History::new();
    // 0 and 1 lie: with the correct 2 they decide A, then tell the correct 3 that nothing had prepared.
    history.round(0, A, Digest::ZERO, [0, 1, 2]);
    let v_set = [0, 1, 3].map(|who| view_change(&history.cfg, who, 1, vec![])).to_vec();
    let nv = new_view(&history.cfg, v_set, &[]);
    let just = history.open(nv);
    history.round(1, B, just, [0, 1, 3]);
    history.convicts("HP", [0, 1]);
}

#[test]
pub fn who_prepared_one_block_and_committed_another_in_one_view_is_xp() {
    let mut history = History::new();
    history.round(0, A, Digest::ZERO, [0, 1, 2]);
    // A Prepared certificate for B in view 0: by the same liars and the correct 3.
    let digest = history.digest(B);
    let mut cert = prepared(&history.cfg, 1, digest);
    let sig = |who| statement(&config(4), Kind::Prepare, who, 0, 1, digest, Digest::ZERO).sig;
    cert.prepares = [1, 3].map(|who| (ReplicaId(who), sig(who))).to_vec();
    let v_set = [0, 1, 3].map(|who| view_change(&history.cfg, who, 1, vec![cert.clone()])).to_vec();
    let nv = new_view(&history.cfg, v_set, &[(1, digest)]);
    let just = history.open(nv);
    history.round(1, B, just, [0, 1, 3]);
    history.convicts("XP", [0, 1]);
}

#[test]
pub fn forged_signatures_name_nobody() {
    let mut history = History::new();
    history.round(0, A, Digest::ZERO, [0, 1, 2]);
    history.round(0, B, Digest::ZERO, [0, 1, 3]);
    let mut forged = statement(&history.cfg, Kind::Commit, 2, 0, 1, history.digest(B), Digest::ZERO);
    forged.sig.0[0] ^= 1;
    history.said.insert(0, Message::Commit(forged));
    history.convicts("EQ", [0, 1]);
}
