//! Below the stage: the log, and power and bills (PAGE.md §4.5).

use super::panels::{Log, Power};
use crate::scene::stage::StageState;
use std::rc::Rc;
use yew::prelude::*;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tab {
    Log,
    Power,
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub branch: u16,
    /// Effects shown, and effects known.
    pub count: u32,
    pub known: u32,
    pub chosen: Option<u32>,
    pub stage: Rc<StageState>,
}

#[component]
pub fn Dock(props: &Props) -> Html {
    let tab = use_state(|| Tab::Log);
    let filter = use_state(AttrValue::default);
    let oninput = {
        let filter = filter.clone();
        Callback::from(move |e: InputEvent| {
            if let Some(i) = e.target_dyn_into::<web_sys::HtmlInputElement>() {
                filter.set(i.value().into());
            }
        })
    };
    let head = |(which, name): (Tab, &'static str)| {
        let tab = tab.clone();
        let selected = *tab == which;
        let onclick = Callback::from(move |_| tab.set(which));
        html! { <button type="button" role="tab" key={name} aria-selected={selected.to_string()} {onclick}>{ name }</button> }
    };
    html! {
        <section class="dock" aria-label="Log, power and bills">
            <div class="tabs" role="tablist">
                { for [(Tab::Log, "Log, newest first"), (Tab::Power, "Power and bills")].into_iter().map(head) }
                if *tab == Tab::Log {
                    <label class="filter">{ "only rows with " }<input type="search" {oninput} value={(*filter).clone()} /></label>
                }
            </div>
            if *tab == Tab::Log {
                <Log count={props.count} known={props.known} branch={props.branch} chosen={props.chosen} filter={(*filter).clone()} />
            } else {
                <Power stage={props.stage.clone()} />
            }
        </section>
    }
}
