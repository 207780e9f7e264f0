//! The next primary opens its view with NEW-VIEWs that do not follow from their VIEW-CHANGEs (CONSENSUS.md §5.2, OSDI'99
//! §4.4): an entry dropped, swapped, nulled or added, a wrong low mark, too few, repeated, stale or forged members, foreign
//! pre-prepares, another primary's view. Everybody recomputes a NEW-VIEW, and nobody obeys one.

use super::prelude::*;
use crate::ledger::proposal::null_digest;
use crate::pbft::message::{NewView, ViewChange};

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "opens its view with false NEW-VIEWs",
    "The recomputed selection differs from the claimed one; the view after it opens instead.",
)
.fires(&["ENV-1", "NV-1", "NV-3", "NV-4", "NV-5", "ShortQuorum", "BadViewChangeSet", "TM-2", "IV"]);

#[derive(Clone, Default)]
pub(super) struct NewViewForgery;

impl Behaviour for NewViewForgery {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        match message.message().filter(|_| message.strikes).map(|m| &**m) {
            Some(Message::NewView(honest)) => {
                let all = forgeries(cx, honest);
                out.extend(all.into_iter().map(|nv| cx.to_others(Message::NewView(Arc::new(nv)))));
            }
            _ => out.push(message.output),
        }
    }
}

/// The last VIEW-CHANGE says something that its sender did not sign.
fn with_a_forged_member(members: &[Arc<ViewChange>]) -> Vec<Arc<ViewChange>> {
    let mut all = members.to_vec();
    if let Some(last) = all.last_mut() {
        Arc::make_mut(last).signed.sig.0[63] ^= 1;
    }
    all
}

/// View, VIEW-CHANGEs and slots of a NEW-VIEW.
type Claim = (View, Vec<Arc<ViewChange>>, Vec<(Seq, Digest)>);

/// Every way in which it can be false.
fn forgeries(cx: &Cx<'_, '_>, honest: &NewView) -> Vec<NewView> {
    let view = honest.view();
    let slots: Vec<(Seq, Digest)> = honest.o.iter().map(|fixed| (fixed.seq, fixed.digest)).collect();
    let last = slots.last().map_or(0, |(seq, _)| seq.0);
    let members = &honest.v_set;
    let swapped = |digest: Digest| slots.iter().map(|(seq, _)| (*seq, digest)).collect::<Vec<_>>();
    let extended = || slots.iter().copied().chain([(Seq(last + 1), null_digest())]).collect::<Vec<_>>();
    let repeated = || members.iter().take(1).chain(members.iter().take(members.len() - 1)).cloned().collect();
    let claims: [Claim; 8] = [
        (view, members.clone(), slots.iter().take(slots.len().saturating_sub(1)).copied().collect()),
        (view, members.clone(), swapped(Digest([7; 32]))),
        (view, members.clone(), swapped(null_digest())),
        (view, members.clone(), extended()),
        (view, members.iter().skip(1).cloned().collect(), slots.clone()),
        (view, repeated(), slots.clone()),
        (view, with_a_forged_member(members), slots.clone()),
        (View(view.0 + 1), members.clone(), slots.clone()),
    ];
    let mut all: Vec<NewView> =
        claims.into_iter().filter_map(|(view, members, slots)| cx.new_view(view, members, &slots)).collect();
    let mut low = honest.clone();
    low.signed.statement.seq.0 += 1;
    all.extend(cx.sign(low.signed.statement).map(|signed| NewView { signed, ..low }));
    let mut foreign = honest.clone();
    foreign.o.iter_mut().for_each(|fixed| fixed.pp_sig.0[63] ^= 1);
    all.push(foreign);
    all
}
