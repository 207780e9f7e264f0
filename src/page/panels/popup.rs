//! What menus have in common: they open inside the window, arrows move in them, Escape closes them.

use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};
use yew::prelude::*;

/// Puts a menu at window coordinates, but inside the window, and its focus on the first thing in it.
pub fn open_at(menu: &HtmlElement, at: (i32, i32)) {
    let window = web_sys::window();
    let side = |value: Option<wasm_bindgen::JsValue>| value.and_then(|v| v.as_f64()).unwrap_or(600.0) as i32;
    let width = side(window.as_ref().and_then(|w| w.inner_width().ok()));
    let height = side(window.as_ref().and_then(|w| w.inner_height().ok()));
    let left = at.0.min(width - menu.offset_width() - 4).max(4);
    let top = at.1.min(height - menu.offset_height() - 4).max(4);
    let _ = menu.style().set_property("left", &format!("{left}px"));
    let _ = menu.style().set_property("top", &format!("{top}px"));
    focus(menu.query_selector("input, button").ok().flatten());
}

/// While a menu is there, and then the focus back where it was.
#[hook]
pub fn use_focus_back() {
    use_effect_with((), |()| {
        let before = web_sys::window().and_then(|w| w.document()).and_then(|d| d.active_element());
        move || {
            let there = before.filter(|e| e.is_connected() && e.tag_name() != "BODY");
            match there.map(|e| e.dyn_into::<web_sys::SvgElement>()) {
                Some(Ok(node)) => drop(node.focus()),
                Some(Err(other)) => focus(Some(other)),
                None => {}
            }
        }
    });
}

fn focus(element: Option<Element>) {
    if let Some(e) = element.and_then(|e| e.dyn_into::<HtmlElement>().ok()) {
        let _ = e.focus();
    }
}

/// Keys of a menu: Escape closes it, arrows move between its entries.
pub fn keys(menu: &NodeRef, close: Callback<()>) -> Callback<KeyboardEvent> {
    let menu = menu.clone();
    Callback::from(move |e: KeyboardEvent| match e.key().as_str() {
        "Escape" => {
            e.stop_propagation();
            close.emit(());
        }
        key @ ("ArrowDown" | "ArrowUp") => {
            e.prevent_default();
            e.stop_propagation();
            step(&menu, key == "ArrowDown");
        }
        // A letter is for the menu, not for the page's own keys.
        _ => e.stop_propagation(),
    })
}

/// Moves the focus to the next or previous entry, round the ends.
fn step(menu: &NodeRef, down: bool) {
    let document = web_sys::window().and_then(|w| w.document());
    let (Some(menu), Some(focused)) = (menu.cast::<Element>(), document.and_then(|d| d.active_element())) else {
        return;
    };
    let list = menu.query_selector(".list").ok().flatten().unwrap_or(menu);
    let inside = list.contains(Some(&focused)) && focused.tag_name() == "BUTTON";
    let go = |e: &Element| if down { e.next_element_sibling() } else { e.previous_element_sibling() };
    let end = || if down { list.first_element_child() } else { list.last_element_child() };
    let mut next = if inside { go(&focused).or_else(end) } else { end() };
    // Names of groups are no entries.
    while let Some(e) = next.take_if(|e| e.tag_name() != "BUTTON") {
        next = go(&e);
    }
    focus(next.or_else(|| list.query_selector("button").ok().flatten()));
}

/// Keeps what is typed into a field.
pub fn typed(state: &UseStateHandle<String>) -> Callback<InputEvent> {
    let state = state.clone();
    Callback::from(move |e: InputEvent| {
        if let Some(input) = e.target_dyn_into::<web_sys::HtmlInputElement>() {
            state.set(input.value());
        }
    })
}
