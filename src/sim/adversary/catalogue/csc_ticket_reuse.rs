//! A CSC that uses its tickets again for each command (CLMMSC.md §4, WORLD.md §10). A ticket is a nullifier: gateways refuse the
//! second ciphertext (RQ-2), and what slips into a block is voided.

use super::prelude::*;
use crate::entities::enrol::Enrolment;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Csc],
    "uses a ticket for two commands",
    "The second command's ticket is taken; the gateways refuse it and it is on no chain.",
)
.fires(&["DoubleUse"]);

#[derive(Clone, Default)]
pub(super) struct CscTicketReuse {
    /// The tickets before the plan.
    kept: Option<Box<Enrolment>>,
}

impl Behaviour for CscTicketReuse {
    fn on_input(&mut self, cx: &mut Cx<'_, '_>, aim: &mut Aim, input: &Input<'_>) -> Pass {
        if let (Input::Timer(TimerId::Plan), Entity::Csc(csc)) = (input, &mut *cx.entity) {
            self.kept = Some(Box::new(csc.enrolment.clone()));
            if !aim.strikes(cx, None) {
                self.kept = None;
            }
        }
        Pass::On
    }

    fn after(&mut self, cx: &mut Cx<'_, '_>, _aim: &mut Aim, _out: &mut Vec<Output>) {
        if let (Some(kept), Entity::Csc(csc)) = (self.kept.take(), &mut *cx.entity) {
            csc.enrolment.restock(&kept);
        }
    }
}
