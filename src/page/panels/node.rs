//! The selected node at the shown moment: what it is, what it holds, what it counts (PAGE.md §4.4).

use super::message::Bytes;
use super::waiting::Waiting;
use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::VoteKind;
use crate::page::conduct;
use crate::scene::stage::{Lock, NodeState, StageState, needed};
use crate::scene::words;
use crate::sim::inspect::{ItemRef, ItemView};
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub branch: u16,
    /// Effects shown.
    pub count: u32,
    pub id: ActorId,
    pub stage: Rc<StageState>,
    /// Gateways.
    pub n: u16,
    pub on_menu: Callback<ActorId>,
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Kgc => "Key generation centre: issues half of every key, opens pseudo-identities, routes σ.",
        Role::Csc => "Charging service company: plans the charging and signcrypts one command per car into σ.",
        Role::Css => "Gateway of a charging station: checks σ with public parameters only, and votes on blocks.",
        Role::Cp => "Charging pile: opens its car's entry of σ, gives power and bills.",
        Role::Ev => "Electric vehicle: holds the secret key; hands its pile the key of one entry at a time.",
        Role::Outsider => "Somebody outside.",
    }
}

/// What the stage knows of the node, as (name, value).
fn facts(props: &Props, node: &NodeState) -> Vec<(&'static str, String)> {
    let mut list = vec![("key", if node.has_key { "accepted" } else { "none yet" }.to_string())];
    let state = if node.down { "stopped" } else { "running" };
    list.push(("state", node.behaviour.as_ref().map_or(state.into(), |b| format!("lies: {}", b.replace('_', " ")))));
    if props.id.role == Role::Css {
        let votes = |vote| format!("{} of {} needed", node.votes(vote), needed(vote, props.n));
        list.push(("view v", format!("{}{}", node.view, if node.changing { ", asks for the next" } else { "" })));
        list.push(("chain height h", node.height.to_string()));
        list.push(("votes on", format!("block {} in view {}", node.slot.1, node.slot.0)));
        list.push(("prepares", votes(VoteKind::Prepare) + if node.prepared { ", prepared" } else { "" }));
        list.push(("commits", votes(VoteKind::Commit) + if node.committed { ", final" } else { "" }));
    }
    if let Some(what) = props.stage.convicted.get(&props.id) {
        list.push(("proof of fault", format!("it {what}")));
    }
    list.push(("refused by it", node.refused.to_string()));
    if let Some(bay) = props.stage.bays.get(&props.id) {
        let lock = match bay.lock {
            Lock::Nothing => "no command yet",
            Lock::Opened => "opened: the command is for its car",
            Lock::NotAReceiver => "no entry for its car",
            Lock::Refused => "refused",
        };
        list.push(("car", bay.ev.map_or("none".into(), ActorId::label)));
        list.push(("σ", lock.into()));
        list.push(("power", format!("{} W of at most {} W", bay.power_w, bay.limit_w)));
        list.push(("energy", format!("{} Wh", bay.energy_wh)));
        if let Some((total, currency, last)) = &bay.bill {
            list.push(("bill", words::bill(*total, currency) + if *last { "" } else { " so far" }));
        }
    }
    list
}

#[component]
pub fn NodeTab(props: &Props) -> Html {
    let record = use_state(|| None::<ItemView>);
    let lit = use_state(|| None::<usize>);
    let node = props.stage.nodes.get(&props.id).cloned().unwrap_or_default();
    {
        let record = record.clone();
        use_effect_with((props.branch, props.id, node.has_key), move |(_, id, has_key)| {
            let (id, wanted) = (*id, *has_key);
            record.set(None);
            if wanted {
                wasm_bindgen_futures::spawn_local(
                    async move { record.set(conduct::inspect(ItemRef::Record(id)).await) },
                );
            }
        });
    }
    let open = {
        let (id, on_menu) = (props.id, props.on_menu.clone());
        Callback::from(move |_| on_menu.emit(id))
    };
    html! {
        <>
            <h2>{ props.id.label() }</h2>
            <p>{ role(props.id.role) }</p>
            <dl class="terms">
                { for facts(props, &node).into_iter().map(|(name, value)| html! { <><dt>{ name }</dt><dd>{ value }</dd></> }) }
            </dl>
            <p class="actions"><button type="button" onclick={open}>{ "Break it" }</button></p>
            <Waiting branch={props.branch} count={props.count} only={Some(props.id)} />
            if let Some(item) = record.as_ref() {
                <h3>{ "Its public record" }</h3>
                <Bytes item={item.clone()} lit={*lit} on_lit={let lit = lit.clone(); Callback::from(move |i| lit.set(i))} />
            }
        </>
    }
}
