//! The app: shell, first run, keys (PAGE.md §2.7, §4, §5.1).

use super::panels::{FaultMenu, Inspector, Log, RecoveryBar, Target};
use super::stage_view::{self, StageView};
use super::transport::{self, Transport};
use super::{pick, player};
use crate::entities::actor::ActorId;
use crate::pbft::quorum::Quorum;
use crate::scene::view::visible;
use crate::scene::words;
use crate::sim::link::Moment;
use gloo_timers::callback::{Interval, Timeout};
use std::rc::Rc;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use yew::prelude::*;

fn set_theme(dark: bool) {
    let root = web_sys::window().and_then(|w| w.document()).and_then(|d| d.document_element());
    if let Some(root) = root {
        let _ = root.set_attribute("data-theme", if dark { "dark" } else { "light" });
    }
}

fn keys() -> Closure<dyn FnMut(KeyboardEvent)> {
    Closure::new(|e: KeyboardEvent| {
        let typing = e.target().and_then(|t| t.dyn_into::<web_sys::Element>().ok());
        let tag = typing.map(|t| t.tag_name()).unwrap_or_default();
        if e.ctrl_key() || e.alt_key() || e.meta_key() || ["INPUT", "SELECT", "TEXTAREA"].contains(&tag.as_str()) {
            return;
        }
        let pressed = tag == "BUTTON" && [" ", "Enter"].contains(&e.key().as_str());
        match e.key().as_str() {
            _ if pressed => return,
            " " | "k" | "K" => transport::toggle(),
            "." => transport::step("event", 1),
            "," => transport::step("event", -1),
            "ArrowRight" => transport::step(if e.shift_key() { "beat" } else { "event" }, 1),
            "ArrowLeft" => transport::step(if e.shift_key() { "beat" } else { "event" }, -1),
            "PageDown" => transport::step("beat", 1),
            "PageUp" => transport::step("beat", -1),
            "n" | "N" => transport::step("phase", 1),
            "p" | "P" => transport::step("phase", -1),
            "Home" => transport::seek(Moment::Start),
            "End" => transport::seek(Moment::End),
            "<" => transport::rate(|x| x / 2.0),
            ">" => transport::rate(|x| x * 2.0),
            digit @ ("1" | "2" | "3" | "4" | "5") => {
                let x = [0.25, 0.5, 1.0, 2.0, 4.0][usize::from(digit.as_bytes()[0] - b'1')];
                transport::rate(|_| x);
            }
            _ => return,
        }
        e.prevent_default();
    })
}

fn go(hash: String) {
    if let Some(window) = web_sys::window() {
        let _ = window.location().set_hash(&hash);
    }
}

const LONG_PRESS_MS: u32 = 500;
/// A finger that moves further than this many px scrolls.
const PRESS_SLOP: i32 = 10;

/// A finger on the stage; when the time is up, the menu opens.
struct Press {
    at: (i32, i32),
    _timer: Timeout,
}

#[component]
pub fn App() -> Html {
    let tick = use_force_update();
    let menu = use_state(|| None::<(Target, i32, i32)>);
    let press = use_mut_ref(|| None::<Press>);
    let teaching = use_state(|| false);
    let shared = use_state(|| None::<String>);
    let filter = use_state(AttrValue::default);
    {
        let tick = tick.clone();
        use_effect_with((), move |_| {
            player::on_change(Rc::new(move || tick.force_update()));
            stage_view::measure();
            let window = web_sys::window();
            let hash = Closure::<dyn FnMut()>::new(|| {
                let hash = web_sys::window().and_then(|w| w.location().hash().ok()).unwrap_or_default();
                player::open(&hash);
                player::refresh();
            });
            let keys = keys();
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
        });
    }
    use_effect(super::painter::paint);
    let read = player::with(|p| {
        let stage = p.stage();
        let shown = p.trace().effects()[..p.count as usize].iter().rev().find(|e| visible(e));
        let told = shown.map(words::sentence).unwrap_or_else(|| "Nothing has happened yet.".into());
        let branches: Vec<_> = p.lanes.iter().map(|l| (l.key, l.name.clone(), l.key == p.active)).collect();
        let q = Quorum::new(p.counts.css).map_or(0, |q| q.strong());
        let counts = (p.counts.csc, p.counts.css, p.counts.cp, p.counts.ev, q);
        let liars = stage.nodes.values().filter(|n| n.behaviour.is_some()).count();
        (
            stage,
            told,
            branches,
            counts,
            liars,
            p.size,
            (p.info.clone(), p.reproduced, p.notice.clone(), p.first_run, p.recovery.clone()),
        )
    });
    let Some((stage, told, branches, counts, liars, size, (info, reproduced, notice, first_run, recovery))) = read
    else {
        return html! { <p>{ "No run could be opened." }</p> };
    };
    let numbers = player::with(|p| {
        (
            p.playing,
            p.pres,
            p.length(),
            p.shown_time(),
            p.count,
            p.trace().len(),
            (p.rate * 100.0) as u32,
            p.active,
            p.chosen,
            p.selected,
            p.complete(),
        )
    });
    let Some((playing, pres, length, time_us, count, known, rate, branch, chosen, selected, complete)) = numbers else {
        return Html::default();
    };
    let caption = AttrValue::from(format!("{} {told}", words::phase(stage.phase)));
    let onchange = Callback::from(|e: Event| {
        if let Some(select) = e.target_dyn_into::<web_sys::HtmlSelectElement>() {
            go(format!("#/run/{}", select.value()));
        }
    });
    let share = {
        let shared = shared.clone();
        Callback::from(move |_: MouseEvent| {
            let base = web_sys::window().and_then(|w| w.location().href().ok()).unwrap_or_default();
            let base = base.split('#').next().unwrap_or_default().to_string();
            let link = player::with(|p| p.human_link()).map(|l| base + &l);
            if let (Some(w), Some(link)) = (web_sys::window(), &link) {
                let _ = w.navigator().clipboard().write_text(link);
            }
            shared.set(link);
        })
    };
    let dark = Callback::from(|_: MouseEvent| {
        let root = web_sys::window().and_then(|w| w.document()).and_then(|d| d.document_element());
        let now = root.and_then(|r| r.get_attribute("data-theme")).unwrap_or_default();
        set_theme(now != "dark");
        player::refresh();
    });
    let on_menu = {
        let menu = menu.clone();
        Callback::from(move |(id, x, y)| {
            player::with(|p| p.playing = false);
            menu.set(Some((Target::Actor(id), x, y)));
        })
    };
    let open_at = {
        let menu = menu.clone();
        Callback::from(move |(x, y): (i32, i32)| {
            if let Some(target) = pick::at(x, y) {
                player::with(|p| p.playing = false);
                menu.set(Some((target, x, y)));
                player::refresh();
            }
        })
    };
    let oncontextmenu = {
        let open_at = open_at.clone();
        Callback::from(move |e: MouseEvent| {
            e.prevent_default();
            open_at.emit((e.client_x(), e.client_y()));
        })
    };
    let onclick = {
        let menu = menu.clone();
        Callback::from(move |e: MouseEvent| {
            menu.set(None);
            // The first run stops where somebody takes over.
            player::with(|p| p.playing &= !p.first_run);
            if let Some(Target::Message(id)) = pick::at(e.client_x(), e.client_y()) {
                player::with(|p| {
                    p.playing = false;
                    p.chosen = Some(id);
                });
                player::refresh();
            }
        })
    };
    let onpointerdown = {
        let press = press.clone();
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
    let onpointerup = {
        let press = press.clone();
        Callback::from(move |_: PointerEvent| *press.borrow_mut() = None)
    };
    let onpointercancel = onpointerup.clone();
    let on_select = Callback::from(|id| {
        player::with(|p| p.selected = if p.selected == Some(id) { None } else { Some(id) });
        player::refresh();
    });
    let close = {
        let menu = menu.clone();
        Callback::from(move |()| menu.set(None))
    };
    let down = |target: &Target| match target {
        Target::Actor(id) => stage.nodes.get(id).is_some_and(|n| n.down),
        Target::Message(_) => false,
    };
    let break_node = {
        let menu = menu.clone();
        Callback::from(move |id| {
            player::with(|p| p.playing = false);
            menu.set(Some((Target::Actor(id), (size.width * 0.6) as i32, 120)));
        })
    };
    let begin = Callback::from(|_: MouseEvent| {
        player::with(|p| {
            p.scrub(0);
        });
        transport::step("phase", 1);
    });
    let break_it = {
        let menu = menu.clone();
        Callback::from(move |_: MouseEvent| {
            player::with(|p| {
                p.seek(Moment::Time(crate::ledger::Micros(2_000_000)));
            });
            let first = ActorId::new(crate::entities::actor::Role::Css, 0);
            menu.set(Some((Target::Actor(first), (size.width * 0.5) as i32, 120)));
            player::refresh();
        })
    };
    let teach = {
        let teaching = teaching.clone();
        Callback::from(move |_: MouseEvent| {
            teaching.set(!*teaching);
            player::with(|p| p.first_run = false);
            player::refresh();
        })
    };
    let oninput = {
        let filter = filter.clone();
        Callback::from(move |e: InputEvent| {
            if let Some(i) = e.target_dyn_into::<web_sys::HtmlInputElement>() {
                filter.set(i.value().into());
            }
        })
    };
    let f = info.f;
    html! {
        <div class={classes!("app", teaching.then_some("teaching"))}>
            <header class="top">
                <h1>{ "Voltcast" }</h1>
                <label>{ "Scenario " }<select {onchange}>
                    { for player::presets().into_iter().map(|(id, title)| html! { <option key={id} value={id} selected={id == info.scenario}>{ title }</option> }) }
                </select></label>
                <span class="seed">{ format!("seed {}", info.seed) }</span>
                <span title="Byzantine gateways, and how many the protocol tolerates">{ format!("liars {liars} of at most {f}") }</span>
                <span class="badge">{ format!("{} real checks so far", stage.checks) }</span>
                <button type="button" onclick={share}>{ "Share" }</button>
                <button type="button" onclick={teach.clone()} aria-pressed={teaching.to_string()}>{ "Projector" }</button>
                <button type="button" onclick={dark} aria-label="Theme: light or dark">{ "Theme" }</button>
            </header>
            if let Some(what) = recovery { <RecoveryBar {what} /> }
            if let Some(text) = notice { <p class="notice" role="alert">{ text }</p> }
            if let Some(link) = shared.as_ref() { <p class="notice">{ "Link to this moment: " }<a href={link.clone()}>{ link }</a></p> }
            if let Some(ok) = reproduced {
                <p class="notice" role="status">{ if ok { format!("Reproduced: same {known} events, same digest as in the link.") } else { "Not reproduced: the digest in the link is not that of this run.".into() } }</p>
            }
            if let Some(text) = &stage.violation { <p class="notice bad" role="alert">{ format!("This must not happen, please report: {text}") }</p> }
            <main class="middle">
                <div class="stage" id="stage" data-stage="1" {oncontextmenu} {onclick} {onpointerdown} {onpointermove} {onpointerup} {onpointercancel}>
                    <canvas id="flights" aria-hidden="true" width="10" height="10"></canvas>
                    <StageView stage={stage.clone()} size={(size.width, size.height)} {selected} {counts} {on_menu} {on_select} />
                </div>
                <aside class="side">
                    <Inspector {branch} {complete} {chosen} {selected} stage={stage.clone()} quorum={counts.4} on_menu={break_node} />
                </aside>
            </main>
            <div class="below">
                <p class="caption" aria-live="polite"><strong>{ words::phase(stage.phase) }</strong><br />{ told }</p>
                if first_run {
                    <div class="first">
                        <button type="button" onclick={begin}>{ "Step through the phases" }</button>
                        <button type="button" onclick={break_it}>{ "Break something" }</button>
                        <button type="button" onclick={teach}>{ "I am teaching" }</button>
                    </div>
                }
            </div>
            <Transport {branch} {playing} {pres} {length} {time_us} {count} {known} {rate} phase={stage.phase} {caption} {branches} />
            <section class="dock" aria-label="Log">
                <label>{ "Log, newest first; show only rows with " }<input type="search" {oninput} value={(*filter).clone()} /></label>
                <Log {count} {branch} {chosen} filter={(*filter).clone()} />
            </section>
            <footer>{ "Everything here runs in this page with real keys made for show. Nothing is sent anywhere. Right-click a node, or focus it and press X, to break it." }</footer>
            if let Some((target, x, y)) = *menu { <FaultMenu {target} down={down(&target)} at={(x, y)} {close} /> }
        </div>
    }
}
