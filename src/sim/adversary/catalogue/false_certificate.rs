//! Asks for the next views with certificates that prove nothing (CONSENSUS.md §5.2): one vote where a quorum belongs,
//! one of a view that is yet to come, and a stable state that nobody vouched for.

use super::prelude::*;
use crate::pbft::certificate::{Prepared, StableProof};

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "asks for a new view with false certificates",
    "The certificate lacks signers, or is of a view yet to come, or the stable state is not proven; the VIEW-CHANGE is refused.",
)
.fires(&["VC-2", "VC-3", "VC-4", "IV"]);

#[derive(Clone, Default)]
pub(super) struct FalseCertificate;

impl Behaviour for FalseCertificate {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let vote = message.message().filter(|_| message.strikes).cloned();
        out.push(message.output);
        let (Some(Message::Prepare(signed)), Some(replica)) = (vote.as_deref(), cx.replica()) else { return };
        let (st, stable) = (signed.statement, StableProof::genesis(replica.config()));
        let alone = Prepared {
            view: st.view,
            seq: st.seq,
            digest: st.digest,
            just: st.just,
            pp_sig: signed.sig,
            prepares: vec![(st.sender, signed.sig)],
        };
        let early = Prepared { view: View(st.view.0 + 2), ..alone.clone() };
        let unproven = StableProof { seq: Seq(st.seq.0 + 64), sigs: vec![(st.sender, signed.sig)], ..stable.clone() };
        let claims = [(1, stable.clone(), vec![alone]), (2, stable, vec![early]), (3, unproven, vec![])];
        for (target, stable, prepared) in claims {
            let vc = cx.view_change(View(st.view.0 + target), stable, prepared.into_iter().map(Arc::new).collect());
            out.extend(vc.map(|vc| cx.to_others(Message::ViewChange(Arc::new(vc)))));
        }
    }
}
