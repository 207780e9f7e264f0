//! The bar on top: which run this is, and what is about the page itself (PAGE.md §4.2).

use super::head::Head;
use super::{player, theme};
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub head: Head,
    pub teaching: bool,
    pub on_teach: Callback<()>,
    /// Opens the list of scenarios, the menu of the network, the list of keys.
    pub on_choose: Callback<(i32, i32)>,
    pub on_network: Callback<(i32, i32)>,
    pub on_help: Callback<(i32, i32)>,
    /// A link was made.
    pub on_share: Callback<String>,
}

/// A link to the moment shown, also on the clipboard where the browser lets it.
fn share(tell: &Callback<String>) {
    let Some(window) = web_sys::window() else { return };
    let base = window.location().href().unwrap_or_default();
    let base = base.split('#').next().unwrap_or_default().to_string();
    if let Some(link) = player::with(|p| p.human_link()).map(|l| base + &l) {
        let _ = window.navigator().clipboard().write_text(&link);
        tell.emit(link);
    }
}

/// Just below the button that was pressed.
fn below(e: &MouseEvent) -> (i32, i32) {
    let button = e.target_dyn_into::<web_sys::Element>().map(|b| b.get_bounding_client_rect());
    button.map_or((e.client_x(), e.client_y()), |b| (b.left() as i32, b.bottom() as i32 + 4))
}

#[component]
pub fn TopBar(props: &Props) -> Html {
    let Head { title, seed, n, liars, f, checks, void, .. } = &props.head;
    let share = {
        let tell = props.on_share.clone();
        Callback::from(move |_: MouseEvent| share(&tell))
    };
    let dark = Callback::from(|_: MouseEvent| {
        theme::toggle();
        player::refresh();
    });
    let outside = if *void { ", outside the theorem" } else { "" };
    html! {
        <header class="top">
            <h1>{ "Voltcast" }</h1>
            <button type="button" class="scenario" aria-haspopup="menu" onclick={props.on_choose.reform(|e| below(&e))}>{ title }{ " ▾" }</button>
            <span class="seed">{ format!("{n} gateways, seed {seed}") }</span>
            <span title="Byzantine gateways, and how many the protocol tolerates">{ format!("liars {liars} of at most {f}{outside}") }</span>
            <span class="badge">{ format!("{checks} real checks so far") }</span>
            <button type="button" aria-haspopup="menu" onclick={props.on_network.reform(|e| below(&e))}>{ "Network" }</button>
            <button type="button" onclick={share}>{ "Share" }</button>
            <button type="button" onclick={props.on_teach.reform(|_| ())} aria-pressed={props.teaching.to_string()}>{ "Projector" }</button>
            <button type="button" onclick={dark} aria-label="Theme: light or dark">{ "Theme" }</button>
            <button type="button" id="help" aria-haspopup="dialog" aria-label="Keys" title="Keys" onclick={props.on_help.reform(|e| below(&e))}>{ "?" }</button>
        </header>
    }
}
