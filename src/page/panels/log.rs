//! The log: every event told in a sentence, newest first. Only the rows in sight are in the document.

use crate::page::player;
use crate::page::transport::time;
use crate::scene::words;
use crate::sim::trace::{Effect, Kind};
use gloo_timers::callback::Timeout;
use wasm_bindgen::JsCast;
use yew::prelude::*;

/// Rows made beyond what is in sight, on each side.
const MARGIN: usize = 8;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub count: u32,
    /// Effects known; rows to come are searched as soon as they are.
    pub known: u32,
    pub branch: u16,
    pub chosen: Option<u32>,
    pub filter: AttrValue,
}

/// Effects read in one go, so that a search in a long run does not stop the page.
const PORTION: usize = 20_000;

/// Ids of the told effects of a branch that fit a filter, found so far.
#[derive(Default)]
struct Found {
    branch: u16,
    filter: String,
    read: u32,
    ids: Vec<u32>,
}

impl Found {
    /// Reads on; true if there is more to read.
    fn read_on(&mut self, branch: u16, filter: &str, effects: &[Effect]) -> bool {
        if (self.branch, self.filter.as_str()) != (branch, filter) || effects.len() < self.read as usize {
            *self = Found { branch, filter: filter.into(), ..Found::default() };
        }
        let fits = |e: &&Effect| told(e) && (filter.is_empty() || words::sentence(e).to_lowercase().contains(filter));
        let end = effects.len().min(self.read as usize + PORTION);
        self.ids.extend(effects[self.read as usize..end].iter().filter(fits).map(|e| e.id.0));
        self.read = end as u32;
        end < effects.len()
    }
}

fn told(effect: &Effect) -> bool {
    !matches!(effect.kind, Kind::Persisted { .. } | Kind::TimerSet { .. })
}

/// What is in sight of the scrolled list, in px.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sight {
    top: i32,
    height: i32,
    row: i32,
}

fn stretch(space: &NodeRef, rows: usize, row: i32) {
    if let Some(e) = space.cast::<web_sys::HtmlElement>() {
        let _ = e.style().set_property("height", &format!("{}px", rows as i32 * row));
    }
}

#[component]
pub fn Log(props: &Props) -> Html {
    let found = use_mut_ref(Found::default);
    let sight = use_state(|| Sight { top: 0, height: 220, row: 32 });
    let (list, above, below) = (use_node_ref(), use_node_ref(), use_node_ref());
    let wanted = props.filter.to_lowercase();
    let again = use_force_update();
    let (more, total, from, rows) = player::with(|p| {
        let mut found = found.borrow_mut();
        let more = found.read_on(p.active, &wanted, p.trace().effects());
        let shown = found.ids.partition_point(|id| *id < p.count);
        let from = (sight.top / sight.row.max(1)) as usize;
        let from = from.saturating_sub(MARGIN).min(shown);
        let some = (sight.height / sight.row.max(1)) as usize + 2 * MARGIN;
        let newest = found.ids[..shown].iter().rev().skip(from).take(some);
        let row = |id: &u32| p.trace().effects().get(*id as usize).map(|e| (e.id.0, e.t.0, words::sentence(e)));
        (more, shown, from, newest.filter_map(row).collect::<Vec<_>>())
    })
    .unwrap_or_default();
    use_effect(move || {
        let timer = more.then(|| Timeout::new(0, move || again.force_update()));
        move || drop(timer)
    });
    let behind = total - from - rows.len();
    {
        let (above, below, list, sight) = (above.clone(), below.clone(), list.clone(), sight.clone());
        use_effect_with((from, behind, rows.len(), *sight), move |(from, behind, _, seen)| {
            stretch(&above, *from, seen.row);
            stretch(&below, *behind, seen.row);
            let first = list.cast::<web_sys::Element>().and_then(|l| l.query_selector("li.row").ok().flatten());
            let row =
                first.and_then(|r| r.dyn_into::<web_sys::HtmlElement>().ok()).map_or(seen.row, |r| r.offset_height());
            if row > 0 && row != seen.row {
                sight.set(Sight { row, ..*seen });
            }
        });
    }
    let onscroll = {
        let (sight, list) = (sight.clone(), list.clone());
        Callback::from(move |_: Event| {
            if let Some(l) = list.cast::<web_sys::HtmlElement>() {
                sight.set(Sight { top: l.scroll_top(), height: l.client_height(), row: sight.row });
            }
        })
    };
    html! {
        <ol class="log" aria-label="What happened, newest first" ref={list} {onscroll}>
            <li ref={above} role="presentation"></li>
            { for rows.into_iter().enumerate().map(|(i, (id, t, text))| {
                let onclick = Callback::from(move |_| { player::with(|p| p.chosen = Some(id)); player::refresh(); });
                let class = (props.chosen == Some(id)).then_some("chosen");
                html! {
                    <li key={id} class="row" aria-setsize={total.to_string()} aria-posinset={(from + i + 1).to_string()}>
                        <button type="button" {class} {onclick}><span class="mono">{ time(t) }</span>{ " " }{ text }</button>
                    </li>
                }
            }) }
            <li ref={below} role="presentation"></li>
            if total == 0 && !props.filter.is_empty() { <li class="none">{ format!("No row so far has “{}”.", props.filter) }</li> }
        </ol>
    }
}
