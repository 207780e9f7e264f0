//! A pile that reads twice what its plug metered, and bills it (WORLD.md §7.5, §10). The car has a meter of its own and compares
//! it with the final bill (EN-6).

use super::prelude::*;
use crate::entities::PlantEvent;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Cp],
    "bills twice what it metered",
    "The car metered less than the bill says, and refuses it.",
)
.fires(&[]);

#[derive(Clone, Default)]
pub(super) struct CpFalseMeter;

impl Behaviour for CpFalseMeter {
    fn on_input(&mut self, cx: &mut Cx<'_, '_>, aim: &mut Aim, input: &Input<'_>) -> Pass {
        match input {
            Input::Plant(PlantEvent::Meter { at, charged_uj, discharged_uj, power_w }) if aim.strikes(cx, None) => {
                let (at, discharged_uj, power_w) = (*at, *discharged_uj, power_w.saturating_mul(2));
                let charged_uj = charged_uj.saturating_mul(2);
                Pass::Misread(PlantEvent::Meter { at, charged_uj, discharged_uj, power_w })
            }
            _ => Pass::On,
        }
    }
}
