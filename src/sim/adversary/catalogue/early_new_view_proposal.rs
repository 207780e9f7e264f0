//! The next primary proposes for its view before that view is open (CONSENSUS.md §5.2). Such a proposal is held and judged when
//! the view is entered; its justification is then wrong, as no NEW-VIEW had been made.

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "proposes for a view that is not open",
    "The proposal is kept aside; if the view ever opens, its justification is wrong.",
)
.fires(&["PP-2"]);

#[derive(Clone, Default)]
pub(super) struct EarlyNewViewProposal;

impl Behaviour for EarlyNewViewProposal {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let vote = message.message().filter(|_| message.strikes).cloned();
        out.push(message.output);
        let Some(Message::Prepare(signed)) = vote.as_deref() else { return };
        let next = View(signed.statement.view.0.saturating_add(1));
        if !cx.leads(next) {
            return;
        }
        let seq = Seq(signed.statement.seq.0.saturating_add(1));
        let proposal = Proposal::build(signed.statement.network_id, seq, cx.setup.unix(cx.now), Vec::new());
        let (kind, digest) = (Kind::PrePrepare, proposal.digest());
        let early = cx.sign(Statement { kind, view: next, seq, digest, ..signed.statement });
        out.extend(early.map(|early| cx.to_others(Message::PrePrepare(early, Arc::new(proposal)))));
    }
}
