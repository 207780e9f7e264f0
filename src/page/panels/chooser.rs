//! Which run to open: the built-in scenarios with their sentence, the number of gateways, the seed (PAGE.md §4.2).

use super::popup;
use crate::sim::scenario::{PRESETS, Scenario};
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub scenario: String,
    pub at: (i32, i32),
    pub close: Callback<()>,
}

/// How long a scenario's day is, in words.
fn length(end_us: u64) -> String {
    let minutes = end_us / 60_000_000;
    if minutes >= 120 { format!("{} hours", minutes / 60) } else { format!("{minutes} minutes") }
}

/// Opens a link of this page.
fn go(hash: &str) {
    if let Some(window) = web_sys::window() {
        let _ = window.location().set_hash(hash);
    }
}

#[component]
pub fn Chooser(props: &Props) -> Html {
    let menu = use_node_ref();
    popup::use_focus_back();
    let (n, seed) = (use_state(String::new), use_state(String::new));
    {
        let (menu, at) = (menu.clone(), props.at);
        use_effect_with(at, move |_| {
            if let Some(menu) = menu.cast::<web_sys::HtmlElement>() {
                popup::open_at(&menu, at);
            }
        });
    }
    let open = |id: &str| {
        let (id, n, seed, close) = (id.to_string(), n.clone(), seed.clone(), props.close.clone());
        Callback::from(move |_: MouseEvent| {
            let pairs = [("seed", seed.trim()), ("n", n.trim())];
            let pairs: Vec<String> =
                pairs.iter().filter(|p| !p.1.is_empty()).map(|(k, v)| format!("{k}={v}")).collect();
            close.emit(());
            go(&format!("#/run/{id}{}{}", if pairs.is_empty() { "" } else { "?" }, pairs.join("&")));
        })
    };
    let row = |id: &'static str| {
        let scenario = Scenario::preset(id).ok()?;
        let e = &scenario.entities;
        let size =
            format!("{} gateways, {} piles, {} cars, {}", scenario.gateways.n, e.cp, e.ev, length(scenario.end.0));
        let current = (id == props.scenario).then_some("true");
        Some(html! {
            <button type="button" role="menuitem" key={id} aria-current={current} onclick={open(id)}>
                <strong>{ scenario.name.clone() }</strong><small>{ scenario.about.clone() }</small><small>{ size }</small>
            </button>
        })
    };
    let random = {
        let seed = seed.clone();
        Callback::from(move |_: MouseEvent| {
            let mut bytes = [0; 4];
            if getrandom::fill(&mut bytes).is_ok() {
                seed.set(u32::from_le_bytes(bytes).to_string());
            }
        })
    };
    let shut = props.close.reform(|_: MouseEvent| ());
    html! {
        <div class="menu chooser" role="menu" ref={menu.clone()} aria-label="Scenarios" onkeydown={popup::keys(&menu, props.close.clone())}>
            <p>{ "Open another run" }</p>
            <div class="list">{ for PRESETS.iter().filter_map(|p| row(p.id)) }</div>
            <div class="actions">
                <label>{ "with n gateways " }<input type="number" min="4" max="100" placeholder="own" value={(*n).clone()} oninput={popup::typed(&n)} /></label>
                <label>{ "seed " }<input type="text" inputmode="numeric" size="10" placeholder="own" value={(*seed).clone()} oninput={popup::typed(&seed)} /></label>
                <button type="button" onclick={random}>{ "Random seed" }</button>
                <button type="button" onclick={open(&props.scenario)}>{ "Open this scenario so" }</button>
                <button type="button" onclick={shut}>{ "Close" }</button>
            </div>
        </div>
    }
}
