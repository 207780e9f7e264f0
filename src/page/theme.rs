//! What the device and the person want: stills or motion; light or dark, which `boot.js` chooses before the first paint, a
//! person may change, and the device keeps.

fn root() -> Option<web_sys::Element> {
    web_sys::window()?.document()?.document_element()
}

/// Whether the device asks for as little motion as possible.
pub fn stills() -> bool {
    let query = web_sys::window().and_then(|w| w.match_media("(prefers-reduced-motion: reduce)").ok().flatten());
    query.is_some_and(|q| q.matches())
}

/// The other of the two.
pub fn toggle() {
    let Some(root) = root() else { return };
    let next = if root.get_attribute("data-theme").as_deref() == Some("dark") { "light" } else { "dark" };
    let _ = root.set_attribute("data-theme", next);
    let store = web_sys::window().and_then(|w| w.local_storage().ok().flatten());
    if let Some(store) = store {
        // A denied store only costs the memory of it.
        let _ = store.set_item("voltcast.theme", next);
    }
}
