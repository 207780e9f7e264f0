//! The keys of the page (PAGE.md §5.1). They act outside text fields only.

use super::transport;
use crate::sim::link::Moment;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use web_sys::KeyboardEvent;

/// Listens to the keys of the whole window.
pub fn listen() -> Closure<dyn FnMut(KeyboardEvent)> {
    Closure::new(|e: KeyboardEvent| {
        let typing = e.target().and_then(|t| t.dyn_into::<web_sys::Element>().ok());
        let tag = typing.map(|t| t.tag_name()).unwrap_or_default();
        if e.ctrl_key() || e.alt_key() || e.meta_key() || ["INPUT", "SELECT", "TEXTAREA"].contains(&tag.as_str()) {
            return;
        }
        let pressed = tag == "BUTTON" && [" ", "Enter"].contains(&e.key().as_str());
        if !pressed && act(&e.key(), e.shift_key()) {
            e.prevent_default();
        }
    })
}

/// Does what a key means; false if it means nothing.
fn act(key: &str, shift: bool) -> bool {
    match key {
        " " | "k" | "K" => transport::toggle(),
        "." => transport::step("event", 1),
        "," => transport::step("event", -1),
        "ArrowRight" => transport::step(if shift { "beat" } else { "event" }, 1),
        "ArrowLeft" => transport::step(if shift { "beat" } else { "event" }, -1),
        "PageDown" => transport::step("beat", 1),
        "PageUp" => transport::step("beat", -1),
        "n" | "N" => transport::step("phase", 1),
        "p" | "P" => transport::step("phase", -1),
        "Home" => transport::seek(Moment::Start),
        "End" => transport::seek(Moment::End),
        "<" => transport::rate(|x| x / 2.0),
        ">" => transport::rate(|x| x * 2.0),
        "1" | "2" | "3" | "4" | "5" => {
            let x = [0.25, 0.5, 1.0, 2.0, 4.0][usize::from(key.as_bytes()[0] - b'1')];
            transport::rate(|_| x);
        }
        "?" => {
            let help = web_sys::window().and_then(|w| w.document()).and_then(|d| d.get_element_by_id("help"));
            if let Some(button) = help.and_then(|b| b.dyn_into::<web_sys::HtmlElement>().ok()) {
                button.click();
            }
        }
        _ => return false,
    }
    true
}
