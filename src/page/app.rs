//! The app: shell, first run, menus (PAGE.md §2.7, §4).

use super::dock::Dock;
use super::head::Head;
use super::keys;
use super::notices::Notices;
use super::panels::{Chooser, FaultMenu, Help, Inspector};
use super::player;
use super::stage_box::StageBox;
use super::stage_view;
use super::topbar::TopBar;
use super::transport::{self, Transport};
use crate::entities::actor::{ActorId, Role};
use crate::scene::faults::Target;
use crate::scene::stage::StageState;
use crate::scene::words;
use crate::sim::link::Moment;
use gloo_timers::callback::Interval;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use yew::prelude::*;

/// What is open over the page, and where.
#[derive(Clone, Copy, PartialEq)]
enum Open {
    Faults(Target, i32, i32),
    Scenarios(i32, i32),
    Help(i32, i32),
}

/// Everything that lives as long as the page: listeners, the observer of the stage, the note of the last good moment.
fn live(tick: UseForceUpdateHandle) -> impl FnOnce() {
    player::on_change(Rc::new(move || tick.force_update()));
    stage_view::measure();
    let window = web_sys::window();
    let hash = Closure::<dyn FnMut()>::new(|| {
        let hash = web_sys::window().and_then(|w| w.location().hash().ok()).unwrap_or_default();
        player::open(&hash);
        player::refresh();
    });
    let keys = keys::listen();
    if let Some(w) = &window {
        let _ = w.add_event_listener_with_callback("hashchange", hash.as_ref().unchecked_ref());
        let _ = w.add_event_listener_with_callback("keydown", keys.as_ref().unchecked_ref());
    }
    player::refresh();
    // Whatever changes the stage's size: the window, a bar above it, lanes below it.
    let grown = Closure::<dyn FnMut()>::new(|| {
        stage_view::measure();
        player::refresh();
    });
    let observer = web_sys::ResizeObserver::new(grown.as_ref().unchecked_ref()).ok();
    let stage = window.as_ref().and_then(|w| w.document()).and_then(|d| d.get_element_by_id("stage"));
    if let (Some(observer), Some(stage)) = (&observer, &stage) {
        observer.observe(stage);
    }
    let keep = Interval::new(1_000, || {
        player::with(|p| p.keep_last_good());
    });
    move || drop((hash, keys, keep, grown, observer))
}

#[derive(Properties, PartialEq)]
struct BelowProps {
    phase: u8,
    told: String,
    first_run: bool,
    on_teach: Callback<()>,
    on_open: Callback<Open>,
}

/// The caption, and three ways to begin.
#[component]
fn Below(props: &BelowProps) -> Html {
    let begin = Callback::from(|_: MouseEvent| {
        player::with(|p| p.scrub(0));
        transport::step("phase", 1);
    });
    let break_it = props.on_open.reform(|_: MouseEvent| {
        player::with(|p| p.seek(Moment::Time(crate::ledger::Micros(2_000_000))));
        player::refresh();
        let width = player::with(|p| p.size.width).unwrap_or(600.0);
        Open::Faults(Target::Actor(ActorId::new(Role::Css, 0)), (width * 0.5) as i32, 120)
    });
    html! {
        <div class="below">
            <p class="caption" aria-live="polite"><strong>{ words::phase(props.phase) }</strong><br />{ &props.told }</p>
            if props.first_run {
                <div class="first">
                    <button type="button" onclick={begin}>{ "Step through the phases" }</button>
                    <button type="button" onclick={break_it}>{ "Break something" }</button>
                    <button type="button" onclick={props.on_teach.reform(|_| ())}>{ "I am teaching" }</button>
                </div>
            }
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct OverProps {
    open: Option<Open>,
    stage: Rc<StageState>,
    scenario: String,
    close: Callback<()>,
}

/// The menu that is open.
#[component]
fn Over(props: &OverProps) -> Html {
    let close = props.close.clone();
    match props.open {
        None => Html::default(),
        Some(Open::Help(x, y)) => html! { <Help at={(x, y)} {close} /> },
        Some(Open::Scenarios(x, y)) => html! { <Chooser scenario={props.scenario.clone()} at={(x, y)} {close} /> },
        Some(Open::Faults(target, x, y)) => {
            let node = match target {
                Target::Actor(id) => props.stage.nodes.get(&id),
                _ => None,
            };
            let (down, lies) = (node.is_some_and(|n| n.down), node.is_some_and(|n| n.behaviour.is_some()));
            html! { <FaultMenu {target} {down} {lies} at={(x, y)} {close} /> }
        }
    }
}

#[component]
pub fn App() -> Html {
    let tick = use_force_update();
    let open = use_state(|| None::<Open>);
    let teaching = use_state(|| false);
    let shared = use_state(|| None::<String>);
    use_effect_with((), move |_| live(tick));
    use_effect(super::painter::paint);
    let on_open = use_callback(open.setter(), |wish, open: &UseStateSetter<Option<Open>>| {
        player::with(|p| (p.resume, p.playing) = (p.playing, false));
        open.set(Some(wish));
        player::refresh();
    });
    let close = use_callback(open.setter(), |(), open: &UseStateSetter<Option<Open>>| open.set(None));
    let on_menu = use_callback(on_open.clone(), |(target, x, y), open| open.emit(Open::Faults(target, x, y)));
    let on_teach = {
        let teaching = teaching.clone();
        Callback::from(move |()| {
            teaching.set(!*teaching);
            player::with(|p| p.first_run = false);
            player::refresh();
        })
    };
    let on_share = Callback::from({
        let shared = shared.clone();
        move |link| shared.set(Some(link))
    });
    let Some((head, stage)) = player::with(|p| (p.head(), p.stage())) else {
        return html! { <p>{ "No run could be opened." }</p> };
    };
    let caption = AttrValue::from(format!("{} {}", words::phase(stage.phase), head.told));
    let Head { branch, playing, pres, length, time_us, count, known, rate, chosen, selected, complete, .. } = head;
    let break_node = on_open.reform(move |id| Open::Faults(Target::Actor(id), (head.size.0 * 0.6) as i32, 120));
    html! {
        <div class={classes!("app", teaching.then_some("teaching"))}>
            <TopBar head={head.clone()} teaching={*teaching} on_teach={on_teach.clone()} {on_share}
                on_choose={on_open.reform(|(x, y)| Open::Scenarios(x, y))} on_help={on_open.reform(|(x, y)| Open::Help(x, y))} on_network={on_open.reform(|(x, y)| Open::Faults(Target::Network, x, y))} />
            <Notices head={head.clone()} shared={(*shared).clone()} />
            <main class="middle">
                <StageBox stage={stage.clone()} size={head.size} {selected} counts={head.counts} {on_menu} on_shut={close.clone()} />
                <aside class="side">
                    <Inspector {branch} {count} {complete} {chosen} {selected} stage={stage.clone()} n={head.counts.1} on_menu={break_node} />
                </aside>
            </main>
            <Below phase={stage.phase} told={head.told.clone()} first_run={head.first_run} {on_teach} {on_open} />
            <Transport {branch} {playing} {pres} {length} {time_us} {count} {known} {rate} phase={stage.phase} {caption} branches={head.branches.clone()} />
            <Dock {branch} {count} {known} {chosen} stage={stage.clone()} />
            <footer>{ "Everything here runs in this page with real keys made for show. Nothing is sent anywhere. Right-click a node, or focus it and press X, to break it." }</footer>
            <Over open={*open} {stage} scenario={head.scenario.clone()} {close} />
        </div>
    }
}
