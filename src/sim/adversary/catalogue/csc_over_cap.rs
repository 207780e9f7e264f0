//! A CSC that plans as if every cap and rating were ten times what it is (WORLD.md §7.4, §10). A command, however signed, does
//! not overload a pile: it takes no more than its rating and says so (EN-7).

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Csc],
    "orders ten times what the caps allow",
    "Each pile takes no more than its rating, and reports the order.",
)
.fires(&["EN-7"]);

#[derive(Clone, Default)]
pub(super) struct CscOverCap {
    greedy: bool,
}

impl Behaviour for CscOverCap {
    fn on_input(&mut self, cx: &mut Cx<'_, '_>, aim: &mut Aim, input: &Input<'_>) -> Pass {
        if let (Input::Timer(TimerId::Plan), false) = (input, self.greedy) {
            self.greedy = aim.strikes(cx, None);
            if let (Entity::Csc(csc), true) = (&mut *cx.entity, self.greedy) {
                let mut setup = (*csc.enrolment.setup).clone();
                setup.rating_w = setup.rating_w.saturating_mul(10);
                setup.feeder_cap_w = setup.feeder_cap_w.saturating_mul(10);
                setup.area_cap_w.iter_mut().for_each(|cap| *cap = cap.saturating_mul(10));
                csc.enrolment.setup = Arc::new(setup);
            }
        }
        Pass::On
    }
}
