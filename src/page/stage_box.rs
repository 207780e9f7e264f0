//! The box of the stage: canvas and standing things, and what a pointer does on it (PAGE.md §5.2).

use super::pictures::Pictures;
use super::stage_view::StageView;
use super::{pick, player};
use crate::entities::actor::ActorId;
use crate::scene::faults::Target;
use crate::scene::stage::StageState;
use gloo_timers::callback::Timeout;
use std::rc::Rc;
use yew::prelude::*;

const LONG_PRESS_MS: u32 = 500;
/// A finger that moves further than this many px scrolls.
const PRESS_SLOP: i32 = 10;

/// A finger on the stage; when the time is up, the menu opens.
struct Press {
    at: (i32, i32),
    _timer: Timeout,
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub stage: Rc<StageState>,
    pub size: (f32, f32),
    pub selected: Option<ActorId>,
    /// Counts of actors (CSC, CSS, CP, EV).
    pub counts: (u16, u16, u16, u16),
    /// Opens the menu of something at window coordinates.
    pub on_menu: Callback<(Target, i32, i32)>,
    pub on_shut: Callback<()>,
}

/// A click shows what is under it, and stops the first run.
fn click(shut: Callback<()>) -> Callback<MouseEvent> {
    Callback::from(move |e: MouseEvent| {
        shut.emit(());
        player::with(|p| p.playing &= !p.first_run);
        if let Some(Target::Message(id)) = pick::at(e.client_x(), e.client_y()) {
            player::with(|p| {
                p.playing = false;
                p.chosen = Some(id);
            });
            player::refresh();
        }
    })
}

#[component]
pub fn StageBox(props: &Props) -> Html {
    let press = use_mut_ref(|| None::<Press>);
    let open_at = {
        let menu = props.on_menu.clone();
        Callback::from(move |(x, y): (i32, i32)| {
            if let Some(target) = pick::at(x, y) {
                menu.emit((target, x, y));
            }
        })
    };
    let oncontextmenu = open_at.reform(|e: MouseEvent| {
        e.prevent_default();
        (e.client_x(), e.client_y())
    });
    let onpointerdown = {
        let (press, open_at) = (press.clone(), open_at.clone());
        Callback::from(move |e: PointerEvent| {
            let at = (e.client_x(), e.client_y());
            let open_at = open_at.clone();
            let touch = e.pointer_type() == "touch";
            *press.borrow_mut() =
                touch.then(|| Press { at, _timer: Timeout::new(LONG_PRESS_MS, move || open_at.emit(at)) });
        })
    };
    let onpointermove = {
        let press = press.clone();
        Callback::from(move |e: PointerEvent| {
            let far = |p: &Press| (e.client_x() - p.at.0).abs().max((e.client_y() - p.at.1).abs()) > PRESS_SLOP;
            let mut press = press.borrow_mut();
            *press = press.take().filter(|p| !far(p));
        })
    };
    let onpointerup = Callback::from(move |_: PointerEvent| *press.borrow_mut() = None);
    let onpointercancel = onpointerup.clone();
    let on_select = use_callback((), |id, ()| {
        player::with(|p| p.selected = if p.selected == Some(id) { None } else { Some(id) });
        player::refresh();
    });
    let on_node = use_callback(props.on_menu.clone(), |(id, x, y), menu| menu.emit((Target::Actor(id), x, y)));
    html! {
        <div class="stage" id="stage" data-stage="1" {oncontextmenu} onclick={click(props.on_shut.clone())} {onpointerdown} {onpointermove} {onpointerup} {onpointercancel}>
            <Pictures stage={props.stage.clone()} size={props.size} counts={props.counts} />
            <canvas id="flights" aria-hidden="true" width="10" height="10"></canvas>
            <StageView stage={props.stage.clone()} size={props.size} selected={props.selected} counts={props.counts} on_menu={on_node} {on_select} />
        </div>
    }
}
