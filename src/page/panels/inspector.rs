//! The inspector: the chosen event, or the selected node (PAGE.md §4.4).

use super::message::Message;
use super::node::NodeTab;
use super::waiting::Waiting;
use crate::entities::actor::ActorId;
use crate::page::player;
use crate::scene::stage::StageState;
use std::rc::Rc;
use yew::prelude::*;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tab {
    Message,
    Node,
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub branch: u16,
    /// Effects shown.
    pub count: u32,
    /// Whether the whole branch is known: what the engine did not have may be there now.
    pub complete: bool,
    pub chosen: Option<u32>,
    pub selected: Option<ActorId>,
    pub stage: Rc<StageState>,
    /// Gateways.
    pub n: u16,
    pub on_menu: Callback<ActorId>,
}

fn nothing(props: &Props) -> Html {
    html! {
        <>
            <h2>{ "Look closer" }</h2>
            <p>{ "Click a node, a message on its way, or a row of the log. Right-click or press long to break it." }</p>
            <Waiting branch={props.branch} count={props.count} />
            <dl class="terms">
                <dt>{ "KGC" }</dt><dd>{ "key generation centre: issues half of every key" }</dd>
                <dt>{ "CSC" }</dt><dd>{ "charging service company: commands the cars" }</dd>
                <dt>{ "CSS" }</dt><dd>{ "gateway of a charging station: checks and votes" }</dd>
                <dt>{ "CP, EV" }</dt><dd>{ "charging pile and the car at it" }</dd>
                <dt>{ "σ" }</dt><dd>{ "one ciphertext with a secret entry per car" }</dd>
                <dt>{ "v, h" }</dt><dd>{ "view (who leads) and height of the chain" }</dd>
            </dl>
            <p class="legend">{ "On the way: ✉ ciphertext, ▲ proposal or view change, ◆ prepare, ■ commit, ● key or frame. Rings: inner prepares, outer commits." }</p>
        </>
    }
}

#[component]
pub fn Inspector(props: &Props) -> Html {
    let tab = use_state(|| Tab::Message);
    // What was chosen last is shown; the other stays one click away.
    {
        let tab = tab.clone();
        use_effect_with(props.chosen, move |chosen| {
            if chosen.is_some() {
                tab.set(Tab::Message);
            }
        });
    }
    {
        let tab = tab.clone();
        use_effect_with(props.selected, move |selected| {
            tab.set(if selected.is_some() { Tab::Node } else { Tab::Message })
        });
    }
    let tabs = [(Tab::Message, "Message", props.chosen.is_some()), (Tab::Node, "Node", props.selected.is_some())];
    let head = |(which, name, there): (Tab, &'static str, bool)| {
        let tab = tab.clone();
        let selected = *tab == which;
        let onclick = Callback::from(move |_| tab.set(which));
        html! {
            <button type="button" role="tab" key={name} aria-selected={selected.to_string()} disabled={!there} {onclick}>{ name }</button>
        }
    };
    let body = match (*tab, props.chosen, props.selected) {
        (Tab::Message, Some(id), _) => html! { <Message branch={props.branch} {id} complete={props.complete} /> },
        (Tab::Node, _, Some(id)) => html! {
            <NodeTab branch={props.branch} count={props.count} {id} stage={props.stage.clone()} n={props.n} on_menu={props.on_menu.clone()} />
        },
        _ => nothing(props),
    };
    let shut = Callback::from(|_| {
        player::with(|p| (p.chosen, p.selected) = (None, None));
        player::refresh();
    });
    html! {
        <section class="inspector" aria-label="Inspector">
            if props.chosen.is_some() || props.selected.is_some() {
                <div class="tabs" role="tablist">
                    { for tabs.into_iter().map(head) }
                    <button type="button" class="shut" onclick={shut}>{ "Close" }</button>
                </div>
            }
            { body }
        </section>
    }
}
