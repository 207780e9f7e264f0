//! The next primary opens its view twice, with two sets of VIEW-CHANGEs that are both valid (CONSENSUS.md §5.2).
//!
//! Votes name the NEW-VIEW they rest on, so the two halves do not add up, and the pair of NEW-VIEWs convicts its signer.

use super::prelude::*;
use crate::pbft::new_view::select;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "opens its view twice",
    "Votes of the two halves rest on different NEW-VIEWs and do not add up; the view after it opens.",
)
.fires(&["PR-3", "OtherJustification", "EQ"]);

#[derive(Clone, Default)]
pub(super) struct EquivocatingNewView {
    /// The view that it is about to open.
    view: Option<View>,
}

impl Behaviour for EquivocatingNewView {
    fn on_send(&mut self, _cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        match message.message().filter(|_| message.strikes).map(|m| &**m) {
            // It waits for one VIEW-CHANGE more than a quorum: two sets need two choices.
            Some(Message::NewView(nv)) => self.view = Some(nv.view()),
            _ => out.push(message.output),
        }
    }

    fn after(&mut self, cx: &mut Cx<'_, '_>, _aim: &mut Aim, out: &mut Vec<Output>) {
        let (Some(view), Some(replica)) = (self.view, cx.replica()) else { return };
        let quorum = usize::from(replica.config().quorum.strong());
        let all: Vec<_> = replica.view_changes().filter(|vc| vc.target() == view).cloned().collect();
        if all.len() <= quorum {
            return;
        }
        self.view = None;
        let to = cx.others();
        let (low, high) = to.split_at(to.len() / 2);
        for (half, members) in [(low, &all[..quorum]), (high, &all[all.len() - quorum..])] {
            let slots = select(members).slots;
            let Some(nv) = cx.new_view(view, members.to_vec(), &slots) else { continue };
            out.push(Output::Fan { to: half.into(), packet: Packet::Pbft(Arc::new(Message::NewView(Arc::new(nv)))) });
        }
    }
}
