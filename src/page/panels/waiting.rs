//! Why is nothing happening? What everybody waits for at the shown moment, in words (CONSENSUS.md §4.8).

use crate::entities::actor::ActorId;
use crate::page::conduct;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub branch: u16,
    /// Effects shown.
    pub count: u32,
    /// Of this actor alone.
    #[prop_or_default]
    pub only: Option<ActorId>,
}

type Answer = Option<Vec<(ActorId, String)>>;

#[component]
pub fn Waiting(props: &Props) -> Html {
    let answer = use_state(|| None::<((u16, u32), Answer)>);
    let moment = (props.branch, props.count);
    let ask = {
        let answer = answer.clone();
        Callback::from(move |_: MouseEvent| {
            let answer = answer.clone();
            wasm_bindgen_futures::spawn_local(async move { answer.set(Some((moment, conduct::waiting().await))) });
        })
    };
    let told = answer.as_ref().filter(|(at, _)| *at == moment).map(|(_, list)| list);
    let name = if props.only.is_some() { "Why is it waiting?" } else { "Why is nothing happening?" };
    html! {
        <div class="waiting">
            <p class="actions"><button type="button" onclick={ask}>{ name }</button></p>
            if let Some(answer) = told { <div role="status">{ reasons(answer.as_ref(), props.only) }</div> }
        </div>
    }
}

fn reasons(answer: Option<&Vec<(ActorId, String)>>, only: Option<ActorId>) -> Html {
    let Some(list) = answer else { return html! { <p>{ "The engine cannot say that now." }</p> } };
    let list: Vec<_> = list.iter().filter(|(who, _)| only.is_none_or(|id| id == *who)).collect();
    if list.is_empty() {
        return html! { <p>{ "Nobody waits for anything but time: the next thing happens when a timer or a message is due." }</p> };
    }
    html! { <ul>{ for list.into_iter().map(|(who, why)| html! { <li><strong>{ who.label() }</strong>{ format!(": {why}") }</li> }) }</ul> }
}
