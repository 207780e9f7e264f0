//! Floor 8: what a person sees and touches. Only this floor knows the browser.
//!
//! [`port`] speaks with the engine in its worker, [`player`] mirrors the run and owns the playhead, [`conduct`] is between
//! the two; [`app`] renders at most when the shown moment changes, [`painter`] paints messages on a canvas at the screen's
//! rate, [`api`] is `globalThis.voltcast`. Data flows one way: the trace is read, and only interventions go back.

pub mod api;
pub mod app;
mod bays;
mod chain;
mod conduct;
mod dock;
mod head;
mod keys;
mod lane;
mod notices;
mod painter;
pub mod panels;
mod pick;
mod pictures;
mod player;
pub mod port;
mod stage_box;
mod stage_view;
mod theme;
mod topbar;
mod transport;

/// Starts the page, or its engine where this is a worker.
pub fn start() {
    if let Some(scope) = port::worker::scope() {
        return port::worker::serve(&scope);
    }
    // Yew would set its own over one set directly.
    yew::set_custom_panic_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        let name = wasm_bindgen::JsValue::from_str("voltcastCrash");
        let crash = js_sys::Reflect::get(&js_sys::global(), &name).ok();
        if let Some(f) = crash.and_then(|f| wasm_bindgen::JsCast::dyn_into::<js_sys::Function>(f).ok()) {
            let _ = f.call1(&wasm_bindgen::JsValue::NULL, &wasm_bindgen::JsValue::from_str(&info.to_string()));
        }
    }));
    let Some(document) = web_sys::window().and_then(|w| w.document()) else { return };
    let Some(root) = document.get_element_by_id("app") else { return };
    root.set_inner_html("");
    let hash = web_sys::window().and_then(|w| w.location().hash().ok()).unwrap_or_default();
    player::open(&hash);
    yew::Renderer::<app::App>::with_root(root).render();
    api::publish();
}
