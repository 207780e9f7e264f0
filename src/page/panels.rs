//! Beside and below the stage: inspector, log, and the menu that breaks things (PAGE.md §4.4, §4.5, §5.2).

use super::player::Recovery;
use super::transport::time;
use super::{conduct, player};
use crate::entities::actor::{ActorId, Role};
use crate::scene::words;
use crate::sim::inspect;
use crate::sim::trace::{Effect, Kind, PacketInfo};
use serde_json::{Value, json};
use yew::prelude::*;

/// Rows of the log around the shown moment.
const ROWS: usize = 60;

/// Sends a wish to the engine; a refusal becomes the notice.
pub fn inject(wish: Value) {
    wasm_bindgen_futures::spawn_local(async move {
        let refused = conduct::inject(json!({ "do": wish })).await.err();
        player::with(|p| p.notice = refused);
        player::refresh();
    });
}

/// What can be done to an actor, as (label, wish).
fn node_faults(id: ActorId, down: bool) -> Vec<(&'static str, Value)> {
    let node = id.to_string();
    let lie = |kind: &str| json!({ "behave": { "node": node, "kind": kind } });
    let mut list = vec![("Crash", json!({ "crash": node }))];
    list.push(if down { ("Resume", json!({ "resume": node })) } else { ("Pause", json!({ "pause": node })) });
    if id.role == Role::Css {
        list.push(("Lie: equivocate as primary", lie("equivocating_primary")));
        list.push(("Lie: stay silent", lie("silent")));
        list.push(("Lie: forge votes of others", lie("forged_vote")));
        list.push(("Lie: alter a ciphertext in its block", lie("tampered_ciphertext")));
        list.push(("Lie: wrong Merkle root", lie("wrong_root")));
    }
    list
}

#[derive(Properties, PartialEq)]
pub struct MenuProps {
    pub actor: ActorId,
    pub down: bool,
    pub at: (i32, i32),
    pub close: Callback<()>,
}

/// Fault menu of an actor. Each entry makes a new future from the shown moment on.
#[component]
pub fn FaultMenu(props: &MenuProps) -> Html {
    let menu = use_node_ref();
    {
        let (menu, at) = (menu.clone(), props.at);
        use_effect_with((props.actor, at), move |_| {
            if let Some(e) = menu.cast::<web_sys::HtmlElement>() {
                let _ = e.style().set_property("left", &format!("{}px", at.0.max(4)));
                let _ = e.style().set_property("top", &format!("{}px", at.1.max(4)));
                let first = e.query_selector("button").ok().flatten();
                let first = first.and_then(|b| wasm_bindgen::JsCast::dyn_into::<web_sys::HtmlElement>(b).ok());
                if let Some(first) = first {
                    let _ = first.focus();
                }
            }
        });
    }
    let close = props.close.clone();
    let onkeydown = Callback::from(move |e: KeyboardEvent| {
        if e.key() == "Escape" {
            e.stop_propagation();
            close.emit(());
        }
    });
    html! {
        <div class="menu" role="menu" ref={menu} aria-label={format!("Break {}", props.actor.label())} {onkeydown}>
            <p>{ format!("{}: from this moment on", props.actor.label()) }</p>
            { for node_faults(props.actor, props.down).into_iter().map(|(label, wish)| {
                let close = props.close.clone();
                let onclick = Callback::from(move |_| { close.emit(()); inject(wish.clone()); });
                html! { <button type="button" role="menuitem" key={label} {onclick}>{ label }</button> }
            }) }
        </div>
    }
}

#[derive(Properties, PartialEq)]
pub struct RecoveryProps {
    pub what: Recovery,
}

/// Says that the engine stopped and what the page did about it (PAGE.md §2.8).
#[component]
pub fn RecoveryBar(props: &RecoveryProps) -> Html {
    let Recovery { message, place, event, times } = &props.what;
    let told = match times {
        1 => {
            format!("The engine stopped at event {event} and was started again. The run is as it was; nothing is lost.")
        }
        _ => format!("The engine stopped {times} times at event {event}. The run is shown up to there."),
    };
    let report = {
        let what = props.what.clone();
        Callback::from(move |_| {
            let link = player::with(|p| p.human_link()).unwrap_or_default();
            let text = format!("{link}\nevent {}\n{}\n{}", what.event, what.place, what.message);
            if let Some(w) = web_sys::window() {
                let _ = w.navigator().clipboard().write_text(&text);
            }
        })
    };
    let go_on = Callback::from(|_| {
        player::with(|p| p.recovery = None);
        conduct::run_on();
        player::with(|p| p.playing = true);
        player::refresh();
    });
    html! {
        <div class="notice bad" role="alert">
            <p>{ told }{ format!(" ({message} {place})") }</p>
            <p class="actions">
                <button type="button" onclick={go_on}>{ "Continue" }</button>
                <button type="button" onclick={report}>{ "Copy report" }</button>
            </p>
        </div>
    }
}

#[derive(Properties, PartialEq)]
pub struct MomentProps {
    pub count: u32,
    pub branch: u16,
    pub known: u32,
    pub chosen: Option<u32>,
    pub filter: AttrValue,
}

fn told(effect: &Effect) -> bool {
    !matches!(effect.kind, Kind::Persisted { .. } | Kind::TimerSet { .. })
}

/// The newest rows up to the shown moment; a row opens in the inspector.
#[component]
pub fn Log(props: &MomentProps) -> Html {
    let wanted = props.filter.to_lowercase();
    let rows: Vec<(u32, u64, String)> = player::with(|p| {
        let shown = &p.trace().effects()[..p.count as usize];
        let told = shown.iter().rev().filter(|e| told(e)).map(|e| (e.id.0, e.t.0, words::sentence(e)));
        told.filter(|row| wanted.is_empty() || row.2.to_lowercase().contains(&wanted)).take(ROWS).collect()
    })
    .unwrap_or_default();
    html! {
        <ol class="log" aria-label="What happened, newest first">
            { for rows.into_iter().map(|(id, t, text)| {
                let onclick = Callback::from(move |_| { player::with(|p| p.chosen = Some(id)); player::refresh(); });
                let class = (props.chosen == Some(id)).then_some("chosen");
                html! { <li key={id}><button type="button" {class} {onclick}><span class="mono">{ time(t) }</span>{ " " }{ text }</button></li> }
            }) }
        </ol>
    }
}

/// The packet that an effect is about.
fn packet(effect: &Effect) -> Option<PacketInfo> {
    match &effect.kind {
        Kind::Sent { packet, .. } | Kind::Delivered { packet, .. } | Kind::Dropped { packet, .. } => Some(*packet),
        _ => None,
    }
}

/// The chosen event: sentence, rule, and for a message its bytes and what can be done to it.
#[component]
pub fn Inspector(props: &MomentProps) -> Html {
    let verdict = use_state(|| None::<(u32, Result<(inspect::Equation, u32), String>)>);
    let item = use_state(|| None::<((u16, u32), inspect::ItemView)>);
    {
        let item = item.clone();
        use_effect_with((props.branch, props.chosen), move |(branch, chosen)| {
            let key = chosen.map(|id| (*branch, id));
            let read = |id: u32| player::with(|p| p.trace().effects().get(id as usize).and_then(packet)).flatten();
            if let Some((key, packet)) = key.and_then(|key| Some((key, read(key.1)?))) {
                wasm_bindgen_futures::spawn_local(async move {
                    item.set(conduct::inspect(packet.item).await.map(|view| (key, view)));
                });
            }
        });
    }
    let Some(id) = props.chosen else {
        return html! {
            <section class="inspector" aria-label="Inspector">
                <h2>{ "Look closer" }</h2>
                <p>{ "Choose a row of the log to see the message behind it, byte by byte. Right-click a node, or focus it and press X, to break it." }</p>
                <dl class="terms">
                    <dt>{ "KGC" }</dt><dd>{ "key generation centre: issues half of every key" }</dd>
                    <dt>{ "CSC" }</dt><dd>{ "charging service company: commands the cars" }</dd>
                    <dt>{ "CSS" }</dt><dd>{ "gateway of a charging station: checks and votes" }</dd>
                    <dt>{ "CP, EV" }</dt><dd>{ "charging pile and the car at it" }</dd>
                    <dt>{ "σ" }</dt><dd>{ "one ciphertext with a secret entry per car" }</dd>
                    <dt>{ "v, h" }</dt><dd>{ "view (who leads) and height of the chain" }</dd>
                </dl>
                <p class="legend">{ "On the way: ✉ ciphertext, ▲ proposal, ◆ prepare, ■ commit, ● key or frame. Rings: inner prepares, outer commits." }</p>
            </section>
        };
    };
    let Some(effect) = player::with(|p| p.trace().effects().get(id as usize).cloned()).flatten() else {
        return Html::default();
    };
    let packet = packet(&effect).map(|p| p.item);
    let again = {
        let verdict = verdict.clone();
        Callback::from(move |_| {
            let (verdict, Some(packet)) = (verdict.clone(), packet) else { return };
            wasm_bindgen_futures::spawn_local(async move {
                verdict.set(Some((id, conduct::reverify(packet).await)));
            });
        })
    };
    let item = item.as_ref().filter(|known| known.0 == (props.branch, id)).map(|known| known.1.clone());
    let in_flight = matches!(effect.kind, Kind::Sent { .. });
    let faults = [
        ("Drop it", json!({ "drop": format!("e{id}") })),
        ("Delay it by 500 ms", json!({ "delay": { "event": format!("e{id}"), "by_us": 500_000 } })),
        ("Flip one bit", json!({ "flip": { "event": format!("e{id}"), "byte": 40, "bit": 0 } })),
    ];
    let is_sigma = item.as_ref().is_some_and(|i| !i.fields.is_empty());
    html! {
        <section class="inspector" aria-label="Inspector">
            <h2>{ format!("Event {id}") }</h2>
            <p>{ words::sentence(&effect) }</p>
            if let Some(rule) = effect.rule { <p class="rule"><strong>{ rule.id() }</strong>{ format!(" {} ", rule.section()) }{ rule.text() }</p> }
            if in_flight {
                <p class="actions">
                    { for faults.into_iter().map(|(label, wish)| {
                        let onclick = Callback::from(move |_| {
                            player::with(|p| { p.seek(crate::sim::link::Moment::Effect(crate::sim::trace::EffectId(id))); });
                            inject(wish.clone());
                        });
                        html! { <button type="button" key={label} {onclick}>{ label }</button> }
                    }) }
                </p>
            }
            if is_sigma {
                <p class="actions"><button type="button" onclick={again}>{ "Verify again now" }</button></p>
                if let Some((_, answer)) = verdict.as_ref().filter(|v| v.0 == id) {
                    <div class="equation" role="status">{ match answer {
                        Ok((e, us)) => html! { <>
                            <p><strong>{ if e.ok { "✓ equal" } else { "✕ not equal" } }</strong>{ format!(", {}.{} ms here and now", us / 1000, us % 1000 / 100) }</p>
                            <p>{ e.name.to_string() }</p>
                            <p class="mono">{ &e.left }</p><p class="mono">{ &e.right }</p>
                        </> },
                        Err(sentence) => html! { <p>{ sentence }</p> },
                    } }</div>
                }
            }
            if let Some(item) = item {
                <h3>{ format!("{} bytes", item.bytes.len()) }</h3>
                if item.fields.is_empty() {
                    <p class="mono bytes">{ inspect::hex(&item.bytes[..item.bytes.len().min(512)]) }</p>
                } else {
                    <table><tbody>{ for item.fields.iter().map(|f| html! {
                        <tr key={f.offset} title={f.text.to_string()}><th scope="row">{ format!("{} {}", f.name, f.symbol) }<br /><small>{ format!("{}+{}", f.offset, f.len) }</small></th><td class="mono">{ &f.value }</td></tr>
                    }) }</tbody></table>
                }
            }
        </section>
    }
}
