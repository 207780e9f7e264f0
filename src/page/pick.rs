//! What lies under a point of the stage: a node by its element, a message by its place on the canvas.

use super::player;
use crate::entities::actor::ActorId;
use crate::scene::faults::Target;
use crate::scene::layout;
use wasm_bindgen::JsCast;
use web_sys::Element;

/// Greatest distance in px at which a message is meant.
const SLOP: f32 = 14.0;

/// The thing at window coordinates (x, y).
pub fn at(x: i32, y: i32) -> Option<Target> {
    let document = web_sys::window()?.document()?;
    let element: Option<Element> = document.element_from_point(x as f32, y as f32);
    let node = element.and_then(|e| e.closest("[data-actor]").ok().flatten());
    if let Some(id) = node.and_then(|n| ActorId::parse(&n.get_attribute("data-actor")?)) {
        return Some(Target::Actor(id));
    }
    let stage = document.get_element_by_id("stage")?.dyn_into::<Element>().ok()?.get_bounding_client_rect();
    message(x as f32 - stage.left() as f32, y as f32 - stage.top() as f32).map(Target::Message)
}

/// The nearest message to a point of the stage.
fn message(x: f32, y: f32) -> Option<u32> {
    player::with(|p| {
        let ground = p.ground();
        let place = |id| ground.place(id);
        let far = |(mx, my): (f32, f32)| (mx - x).hypot(my - y);
        let flights = p.flights().at(p.warp(), p.pres).filter(|s| s.flight.id < p.count);
        let near = flights.map(|s| {
            let (f, part) = (s.flight, if s.still { 0.5 } else { s.part });
            (far(layout::along(place(f.from), place(f.to), part)), f.id)
        });
        near.filter(|(d, _)| *d <= SLOP).min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, id)| id)
    })?
}
