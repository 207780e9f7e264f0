//! The menu that breaks things: each entry makes a new future from the shown moment on (PAGE.md §5.2, §5.3).

use crate::entities::actor::{ActorId, Role};
use crate::page::{conduct, player};
use crate::sim::link::Moment;
use crate::sim::trace::EffectId;
use serde_json::{Value, json};
use yew::prelude::*;

/// What the menu is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    Actor(ActorId),
    /// A message on its way: id of its `Sent`.
    Message(u32),
}

/// Sends a wish to the engine; a refusal becomes the notice. A wish about a message is for the moment it was sent.
pub fn inject(target: Target, wish: Value) {
    wasm_bindgen_futures::spawn_local(async move {
        if let Target::Message(id) = target {
            player::with(|p| p.seek(Moment::Effect(EffectId(id))));
        }
        let refused = conduct::inject(json!({ "do": wish })).await.err();
        player::with(|p| p.notice = refused);
        player::refresh();
    });
}

/// What can be done to a message on its way, as (label, wish).
pub fn message_faults(id: u32, byte: u32) -> [(&'static str, Value); 3] {
    let event = format!("e{id}");
    [
        ("Drop it", json!({ "drop": event })),
        ("Delay it by 500 ms", json!({ "delay": { "event": event, "by_us": 500_000 } })),
        ("Flip one bit", json!({ "flip": { "event": event, "byte": byte, "bit": 0 } })),
    ]
}

/// What can be done to an actor.
fn node_faults(id: ActorId, down: bool) -> Vec<(&'static str, Value)> {
    let node = id.to_string();
    let lie = |kind: &str| json!({ "behave": { "node": node, "kind": kind } });
    let mut list = vec![("Crash", json!({ "crash": node }))];
    list.push(if down { ("Resume", json!({ "resume": node })) } else { ("Pause", json!({ "pause": node })) });
    if id.role == Role::Ev {
        list.push(("Complain about its last ciphertext", json!({ "complain": node })));
    }
    if id.role == Role::Kgc {
        list.push(("Prove who sent the newest ciphertext", json!({ "open_ticket": node })));
    }
    if id.role == Role::Csc {
        list.push(("Lie: seal an entry nobody can open", lie("csc_garbage_entry")));
    }
    if id.role == Role::Css {
        list.push(("Lie: equivocate as primary", lie("equivocating_primary")));
        list.push(("Lie: stay silent", lie("silent")));
        list.push(("Lie: forge votes of others", lie("forged_vote")));
        list.push(("Lie: alter a ciphertext in its block", lie("tampered_ciphertext")));
        list.push(("Lie: wrong Merkle root", lie("wrong_root")));
    }
    list
}

/// Byte of σ's one-time key T: a flip there is what V5 is for.
const MIDDLE: u32 = 40;

#[derive(Properties, PartialEq)]
pub struct MenuProps {
    pub target: Target,
    pub down: bool,
    pub at: (i32, i32),
    pub close: Callback<()>,
}

#[component]
pub fn FaultMenu(props: &MenuProps) -> Html {
    let menu = use_node_ref();
    {
        let (menu, at) = (menu.clone(), props.at);
        use_effect_with((props.target, at), move |_| {
            let Some(e) = menu.cast::<web_sys::HtmlElement>() else { return };
            // Inside the window, whatever it is opened at.
            let window = web_sys::window();
            let side = |value: Option<wasm_bindgen::JsValue>| value.and_then(|v| v.as_f64()).unwrap_or(600.0) as i32;
            let width = side(window.as_ref().and_then(|w| w.inner_width().ok()));
            let height = side(window.as_ref().and_then(|w| w.inner_height().ok()));
            let left = at.0.min(width - e.offset_width() - 4).max(4);
            let top = at.1.min(height - e.offset_height() - 4).max(4);
            let _ = e.style().set_property("left", &format!("{left}px"));
            let _ = e.style().set_property("top", &format!("{top}px"));
            let first = e.query_selector("button").ok().flatten();
            let first = first.and_then(|b| wasm_bindgen::JsCast::dyn_into::<web_sys::HtmlElement>(b).ok());
            if let Some(first) = first {
                let _ = first.focus();
            }
        });
    }
    let close = props.close.clone();
    let onkeydown = {
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
            _ => {}
        })
    };
    let (name, list) = match props.target {
        Target::Actor(id) => (id.label(), node_faults(id, props.down)),
        Target::Message(id) => ("This message".to_string(), message_faults(id, MIDDLE).to_vec()),
    };
    let title = match props.target {
        Target::Actor(_) => format!("{name}: from this moment on"),
        Target::Message(id) => {
            let told = player::with(|p| p.trace().get(EffectId(id)).map(crate::scene::words::sentence)).flatten();
            told.unwrap_or(name.clone())
        }
    };
    let look = {
        let (target, close) = (props.target, props.close.clone());
        Callback::from(move |_| {
            close.emit(());
            player::with(|p| match target {
                Target::Actor(id) => p.selected = Some(id),
                Target::Message(id) => p.chosen = Some(id),
            });
            player::refresh();
        })
    };
    html! {
        <div class="menu" role="menu" ref={menu} aria-label={format!("Break {name}")} {onkeydown}>
            <p>{ title }</p>
            { for list.into_iter().map(|(label, wish)| {
                let (target, close) = (props.target, props.close.clone());
                let onclick = Callback::from(move |_| { close.emit(()); inject(target, wish.clone()); });
                html! { <button type="button" role="menuitem" key={label} {onclick}>{ label }</button> }
            }) }
            <button type="button" role="menuitem" onclick={look}>{ "Look closer" }</button>
        </div>
    }
}

/// Moves the focus to the next or previous entry.
fn step(menu: &NodeRef, down: bool) {
    use wasm_bindgen::JsCast;
    let document = web_sys::window().and_then(|w| w.document());
    let (Some(menu), Some(focused)) = (menu.cast::<web_sys::Element>(), document.and_then(|d| d.active_element()))
    else {
        return;
    };
    let next = if down { focused.next_element_sibling() } else { focused.previous_element_sibling() };
    let wrapped = if down { menu.query_selector("button").ok().flatten() } else { menu.last_element_child() };
    let next = next.filter(|e| e.tag_name() == "BUTTON").or(wrapped);
    if let Some(e) = next.and_then(|e| e.dyn_into::<web_sys::HtmlElement>().ok()) {
        let _ = e.focus();
    }
}
