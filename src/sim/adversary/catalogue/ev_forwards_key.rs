//! A car that gives away the k_i of each header it answers (CLMMSC.md §7, §13, WORLD.md §10), to a pile it does not stand at and to
//! whoever listens. With it one entry of one ciphertext opens: the car's own. Its private key is no part of it.

use super::prelude::*;
use crate::clmmsc::SigmaId;
use crate::clmmsc::open::decapsulate;
use crate::clmmsc::session::Body;
use crate::entities::fact::FactKind;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Ev],
    "gives its keys to entries away",
    "Such a key opens the car's own entry of this one ciphertext, and nothing else.",
)
.fires(&[]);

#[derive(Clone, Default)]
pub(super) struct EvForwardsKey;

impl Behaviour for EvForwardsKey {
    fn after(&mut self, cx: &mut Cx<'_, '_>, aim: &mut Aim, out: &mut Vec<Output>) {
        let released = out.iter().find_map(|output| match output {
            Output::Fact { kind: FactKind::KeyReleased { sigma }, .. } => Some(*sigma),
            _ => None,
        });
        let (Some(sigma), Entity::Ev(ev)) = (released, &*cx.entity) else { return };
        let (Some(head), Some(key)) = (ev.shown(), ev.enrolment.key()) else { return };
        let release = Body::Release { sigma: SigmaId(sigma.0), k: decapsulate(head, key) };
        let clear = Arc::from(release.encode().as_slice());
        if aim.strikes(cx, None) {
            cx.give_away(sigma, clear, out);
        }
    }
}
