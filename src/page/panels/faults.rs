//! The menu that breaks things: each entry makes a new future from the shown moment on (PAGE.md §5.2, §5.3).

use super::popup;
use crate::page::{conduct, player};
use crate::scene::faults::{self, Fault, Group, Target};
use crate::sim::link;
use crate::sim::trace::EffectId;
use serde_json::json;
use yew::prelude::*;

/// Sends a fault to the engine; a refusal becomes the notice. One of a message is for the moment it was sent.
pub fn inject(target: Target, fault: &Fault) {
    let wish = json!({ "do": fault.wish });
    wasm_bindgen_futures::spawn_local(async move {
        if let Target::Message(id) = target {
            player::with(|p| p.seek(link::Moment::Effect(EffectId(id))));
        }
        let refused = conduct::inject(wish).await.err();
        player::with(|p| {
            // What was playing goes on playing, in the new future.
            p.playing = core::mem::take(&mut p.resume) && refused.is_none();
            p.notice = refused;
        });
        player::refresh();
    });
}

/// A list longer than this can be searched.
const LONG: usize = 12;

fn title(target: Target) -> String {
    match target {
        Target::Actor(id) => format!("{}: from this moment on", id.label()),
        Target::Network => "The network: from this moment on".into(),
        Target::Message(id) => {
            let told = player::with(|p| p.trace().get(EffectId(id)).map(crate::scene::words::sentence)).flatten();
            told.unwrap_or("This message".into())
        }
    }
}

#[derive(Properties, PartialEq)]
pub struct MenuProps {
    pub target: Target,
    pub down: bool,
    /// It follows a behaviour.
    pub lies: bool,
    pub at: (i32, i32),
    pub close: Callback<()>,
}

#[component]
pub fn FaultMenu(props: &MenuProps) -> Html {
    let menu = use_node_ref();
    let words = use_state(String::new);
    popup::use_focus_back();
    {
        let (menu, at) = (menu.clone(), props.at);
        use_effect_with((props.target, at), move |_| {
            if let Some(menu) = menu.cast::<web_sys::HtmlElement>() {
                popup::open_at(&menu, at);
            }
        });
    }
    let onkeydown = popup::keys(&menu, props.close.clone());
    let (t_us, n) = player::with(|p| (p.shown_time(), p.counts.css)).unwrap_or_default();
    let all = faults::groups(props.target, faults::Moment { t_us, n, down: props.down, lies: props.lies });
    let count = all.iter().map(|(_, list)| list.len()).sum::<usize>();
    let long = count > LONG;
    let wanted = words.to_lowercase();
    let none = all.iter().all(|(_, list)| !list.iter().any(|fault| fault.fits(&wanted)));
    let entry = |fault: Fault| {
        let (target, close, label, about) = (props.target, props.close.clone(), fault.label.clone(), fault.about);
        let onclick = Callback::from(move |_| {
            close.emit(());
            inject(target, &fault);
        });
        html! { <button type="button" role="menuitem" key={label.clone()} {onclick}>{ label }<small>{ about }</small></button> }
    };
    let group = |(name, list): Group| {
        let fitting: Vec<Fault> = list.into_iter().filter(|fault| fault.fits(&wanted)).collect();
        html! {
            if !fitting.is_empty() {
                if !name.is_empty() { <p class="group">{ name }</p> }
                { for fitting.into_iter().map(entry) }
            }
        }
    };
    let look = {
        let (target, close) = (props.target, props.close.clone());
        Callback::from(move |_| {
            close.emit(());
            player::with(|p| match target {
                Target::Actor(id) => p.selected = Some(id),
                Target::Message(id) => p.chosen = Some(id),
                Target::Network => {}
            });
            player::refresh();
        })
    };
    let oninput = popup::typed(&words);
    let shut = props.close.reform(|_: MouseEvent| ());
    html! {
        <div class="menu" role="menu" ref={menu} aria-label={title(props.target)} {onkeydown}>
            <p>{ title(props.target) }</p>
            if long { <input type="search" placeholder={format!("Search {count} things it can do")} aria-label="Search what it can do" value={(*words).clone()} {oninput} /> }
            <div class="list">
                { for all.into_iter().map(group) }
                if none { <p class="group" role="status">{ "Nothing here has these words." }</p> }
            </div>
            <div class="actions">
                if props.target != Target::Network { <button type="button" role="menuitem" onclick={look}>{ "Look closer" }</button> }
                <button type="button" onclick={shut}>{ "Close" }</button>
            </div>
        </div>
    }
}
