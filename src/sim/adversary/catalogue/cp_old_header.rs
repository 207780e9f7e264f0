//! A pile that shows its car the header of a command that was made before the car came (CLMMSC.md §7, WORLD.md §10), to get the key
//! of somebody else's entry. The car looks at when it was plugged in (E3).

use super::prelude::*;
use crate::clmmsc::session::Body;
use crate::clmmsc::wire::HEADER;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Cp],
    "shows its car an old header",
    "The car was not there when this was written, and keeps its key to itself.",
)
.fires(&["Stale"]);

#[derive(Clone, Default)]
pub(super) struct CpOldHeader {
    old: Option<Arc<[u8]>>,
    shown: bool,
}

impl Behaviour for CpOldHeader {
    fn on_input(&mut self, cx: &mut Cx<'_, '_>, aim: &mut Aim, input: &Input<'_>) -> Pass {
        if let (Input::Deliver { packet: Packet::Area(sigma), .. }, true) = (input, aim.strikes(cx, None)) {
            self.old.get_or_insert(sigma.clone());
        }
        Pass::On
    }

    fn after(&mut self, cx: &mut Cx<'_, '_>, _aim: &mut Aim, out: &mut Vec<Output>) {
        let Entity::Cp(cp) = &mut *cx.entity else { return };
        let header = self.old.as_ref().and_then(|old| old.first_chunk::<HEADER>());
        let (Some(header), Some((car, session)), false) = (header, cp.session(), self.shown) else { return };
        self.shown = true;
        let frame = session.seal(&Body::Header(Box::new(*header)));
        out.push(Output::Send { to: car, packet: Packet::Frame(frame.into()) });
    }
}
