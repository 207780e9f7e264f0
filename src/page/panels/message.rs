//! The message behind an event: sentence, rule, fields ⇄ bytes, and its public checks done again (PAGE.md §4.4).

use super::faults::inject;
use crate::page::transport::time;
use crate::page::{conduct, player};
use crate::scene::faults::{Target, message_faults};
use crate::scene::words;
use crate::sim::inspect::{Equation, FieldView, ItemRef, ItemView};
use crate::sim::trace::{Effect, EffectId, Kind, PacketInfo, Trace};
use wasm_bindgen::JsCast;
use yew::prelude::*;

/// Bytes shown at most; fields beyond are in the table.
const SHOWN: usize = 2048;
/// Bytes per line: what fits beside the stage.
const ROW: usize = 8;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub branch: u16,
    pub id: u32,
    pub complete: bool,
}

/// The packet that an effect is about.
fn packet(effect: &Effect) -> Option<PacketInfo> {
    match &effect.kind {
        Kind::Sent { packet, .. }
        | Kind::Delivered { packet, .. }
        | Kind::Dropped { packet, .. }
        | Kind::Duplicated { packet, .. }
        | Kind::Corrupted { packet, .. } => Some(*packet),
        _ => None,
    }
}

/// Causes to go back for the message that led to an event.
const BACK: usize = 6;

/// The packet that an effect is about: its own, or that of the message that led to it.
fn subject(trace: &Trace, id: u32) -> Option<PacketInfo> {
    let effect = trace.get(EffectId(id))?;
    let causes = core::iter::successors(Some(effect), |e| trace.get(e.cause?));
    causes.take(BACK).find_map(packet)
}

type Verdict = Result<(Vec<Equation>, u32), String>;

#[component]
pub fn Message(props: &Props) -> Html {
    let verdict = use_state(|| None::<(u32, Verdict)>);
    let item = use_state(|| None::<((u16, u32), ItemView)>);
    let lit = use_state(|| None::<usize>);
    let id = props.id;
    {
        let (item, lit) = (item.clone(), lit.clone());
        use_effect_with((props.branch, id, props.complete), move |(branch, id, _)| {
            let key = (*branch, *id);
            lit.set(None);
            if let Some(packet) = player::with(|p| subject(p.trace(), key.1)).flatten() {
                wasm_bindgen_futures::spawn_local(async move {
                    item.set(conduct::inspect(ItemRef::Packet(packet.item)).await.map(|view| (key, view)));
                });
            }
        });
    }
    let Some((effect, end, subject)) = player::with(|p| {
        let effect = p.trace().get(EffectId(id))?.clone();
        let end = p.flights().end_of(id);
        Some((effect, end, subject(p.trace(), id)))
    })
    .flatten() else {
        return html! { <p>{ "This event is not in the future shown." }</p> };
    };
    let again = {
        let verdict = verdict.clone();
        let packet = subject.map(|p| p.item);
        Callback::from(move |_| {
            let (verdict, Some(packet)) = (verdict.clone(), packet) else { return };
            wasm_bindgen_futures::spawn_local(async move {
                verdict.set(Some((id, conduct::reverify(packet).await)));
            });
        })
    };
    let item = item.as_ref().filter(|known| known.0 == (props.branch, id)).map(|known| &known.1);
    let sent = matches!(effect.kind, Kind::Sent { .. });
    let byte = item.and_then(|item| Some((item.fields.get((*lit)?)?.offset as i32 + item.shift).max(0) as u32));
    html! {
        <>
            <h2>{ format!("Event {id}, at {}", time(effect.t.0)) }</h2>
            <p>{ words::sentence(&effect) }</p>
            if let Some(end) = end { <p class="rule">{ format!("On its way for {}.", time(end.saturating_sub(effect.t.0))) }</p> }
            if let Some(rule) = effect.rule { <p class="rule"><strong>{ rule.id() }</strong>{ format!(" {} ", rule.section()) }{ rule.text() }</p> }
            if sent {
                <p class="actions">
                    { for message_faults(id, byte.unwrap_or(40)).into_iter().map(|fault| {
                        let label = fault.label.clone();
                        let onclick = Callback::from(move |_| inject(Target::Message(id), &fault));
                        let label = match (label.as_str(), item.and_then(|i| i.fields.get((*lit)?))) {
                            ("Flip one bit", Some(field)) => format!("Flip one bit of {}", field.name),
                            (label, _) => label.to_string(),
                        };
                        html! { <button type="button" key={label.clone()} {onclick}>{ label.clone() }</button> }
                    }) }
                </p>
            }
            if let (Some(p), None) = (subject, packet(&effect)) { <p class="rule">{ format!("What led to it: {}.", words::a(p.tag)) }</p> }
            if item.is_some_and(|i| i.checkable) {
                <p class="actions"><button type="button" onclick={again}>{ "Verify again now" }</button></p>
                if let Some((_, answer)) = verdict.as_ref().filter(|v| v.0 == id) { { told(answer) } }
            }
            if let Some(item) = item { <Bytes item={item.clone()} lit={*lit} on_lit={let lit = lit.clone(); Callback::from(move |i| lit.set(i))} /> }
        </>
    }
}

fn told(answer: &Verdict) -> Html {
    let body = match answer {
        Ok((equations, us)) => html! {
            <>
                { for equations.iter().map(|e| html! {
                    <div key={e.name.to_string()}>
                        <p><strong>{ if e.ok { "✓ equal" } else { "✕ not equal" } }</strong>{ " " }{ e.name.to_string() }</p>
                        <p class="mono">{ &e.left }</p><p class="mono">{ &e.right }</p>
                    </div>
                }) }
                <p>{ format!("Computed again just now in {}.{} ms.", us / 1000, us % 1000 / 100) }</p>
            </>
        },
        Err(sentence) => html! { <p>{ sentence }</p> },
    };
    html! { <div class="equation" role="status">{ body }</div> }
}

#[derive(Properties, PartialEq)]
pub struct BytesProps {
    pub item: ItemView,
    /// Field lit in both panes.
    pub lit: Option<usize>,
    pub on_lit: Callback<Option<usize>>,
}

/// Fields and bytes, linked both ways: by pointer, by focus, by arrow keys.
#[component]
pub fn Bytes(props: &BytesProps) -> Html {
    let light = |i: usize| {
        let on_lit = props.on_lit.clone();
        move || on_lit.emit(Some(i))
    };
    let count = props.item.fields.len();
    let row = |(i, f): (usize, &FieldView)| {
        let (over, focus, on_lit) = (light(i), light(i), props.on_lit.clone());
        let onkeydown = Callback::from(move |e: KeyboardEvent| {
            let next = match e.key().as_str() {
                "ArrowDown" => (i + 1).min(count - 1),
                "ArrowUp" => i.saturating_sub(1),
                _ => return,
            };
            e.prevent_default();
            e.stop_propagation();
            on_lit.emit(Some(next));
            focus_field(next);
        });
        let class = (props.lit == Some(i)).then_some("lit");
        let tabindex = if props.lit.unwrap_or(0) == i { "0" } else { "-1" };
        html! {
            <tr key={i} id={format!("field-{i}")} {class} {tabindex} title={f.text.to_string()}
                onmouseover={Callback::from(move |_| over())} onfocus={Callback::from(move |_| focus())} {onkeydown}>
                <th scope="row">{ format!("{} {}", f.name, f.symbol) }<br /><small>{ format!("{}+{}", f.offset, f.len) }</small></th>
                <td class="mono">{ &f.value }</td>
            </tr>
        }
    };
    let shown = props.item.bytes.len().min(SHOWN);
    let line = |start: usize| {
        let end = (start + ROW).min(shown);
        let first = props.item.fields.partition_point(|f| f.offset + f.len <= start);
        let parts = props.item.fields.iter().enumerate().skip(first).take_while(|(_, f)| f.offset < end);
        html! {
            <div class="line" key={start}>
                <span class="offset">{ format!("{start:04}") }</span>
                { for parts.map(|(i, f)| {
                    let (a, b) = (f.offset.max(start), (f.offset + f.len).min(end));
                    let text: String = props.item.bytes[a..b].iter().map(|b| format!(" {b:02x}")).collect();
                    let over = light(i);
                    let class = classes!("band", (i % 2 == 1).then_some("odd"), (props.lit == Some(i)).then_some("lit"));
                    html! { <span key={a} {class} onmouseover={Callback::from(move |_| over())}>{ text }</span> }
                }) }
            </div>
        }
    };
    let meaning = props.lit.and_then(|i| props.item.fields.get(i)).map(|f| f.text.to_string()).unwrap_or_default();
    html! {
        <>
            <h3>{ format!("{} bytes", props.item.bytes.len()) }</h3>
            <p class="meaning" aria-live="polite">{ if meaning.is_empty() { "Point at a field or at bytes to see what is what.".to_string() } else { meaning } }</p>
            <div class="mono bytes" aria-hidden="true">
                { for (0..shown).step_by(ROW).map(line) }
                if shown < props.item.bytes.len() { <p>{ format!("… and {} more bytes", props.item.bytes.len() - shown) }</p> }
            </div>
            <table class="fields"><tbody>{ for props.item.fields.iter().enumerate().map(row) }</tbody></table>
        </>
    }
}

fn focus_field(i: usize) {
    let field = web_sys::window().and_then(|w| w.document()).and_then(|d| d.get_element_by_id(&format!("field-{i}")));
    if let Some(field) = field.and_then(|f| f.dyn_into::<web_sys::HtmlElement>().ok()) {
        let _ = field.focus();
    }
}
