//! The player: engine, branches and playhead, outside Yew (PAGE.md §2.6).
//!
//! The engine runs in slices of a few milliseconds between frames. Position is a number of effects; presentation time
//! follows from it through the film's warp. Nothing here decides what happens in a run.

use crate::entities::actor::ActorId;
use crate::ledger::Micros;
use crate::scene::layout::{Counts, Size};
use crate::scene::stage::StageState;
use crate::scene::view::{Flights, step, visible};
use crate::scene::warp::Warp;
use crate::sim::intervention::Intervention;
use crate::sim::link::{Link, Moment};
use crate::sim::scenario::{PRESETS, Scenario};
use crate::sim::state::{self, RunInfo};
use crate::sim::timelines::{BranchId, Stop, Timelines, Until};
use crate::sim::trace::Trace;
use gloo_timers::future::TimeoutFuture;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;

thread_local! {
    static PLAYER: RefCell<Option<Player>> = const { RefCell::new(None) };
}

/// Steps of the world per slice; a slice of a small run takes a few milliseconds.
const SLICE_STEPS: u32 = 60;
/// Frame times kept for `stats()`.
const FRAMES: usize = 600;

/// What a branch looks like as a film.
#[derive(Default)]
struct Film {
    branch: u16,
    warp: Warp,
    flights: Flights,
    visible: Vec<u32>,
    read: u32,
}

pub struct Player {
    timelines: Timelines,
    pub active: BranchId,
    pub link: Link,
    pub info: RunInfo,
    pub counts: Counts,
    film: Film,
    folded: (u16, u32, Rc<StageState>),
    /// Effects shown.
    pub count: u32,
    /// Presentation time in µs.
    pub pres: u64,
    pub playing: bool,
    pub rate: f64,
    pub complete: bool,
    pub size: Size,
    pub selected: Option<ActorId>,
    pub chosen: Option<u32>,
    pub reproduced: Option<bool>,
    pub first_run: bool,
    /// What went wrong with the newest wish, in a sentence.
    pub notice: Option<String>,
    pumping: bool,
    waiting: Option<Moment>,
    scheduled: bool,
    last_frame: Option<f64>,
    frames: Vec<f64>,
    notify: Option<Rc<dyn Fn()>>,
}

/// Runs `f` with the player; `None` before the first run is open.
pub fn with<R>(f: impl FnOnce(&mut Player) -> R) -> Option<R> {
    PLAYER.with(|p| p.borrow_mut().as_mut().map(f))
}

/// Opens the run of a fragment. A link that is wrong is explained, and the default run is shown.
pub fn open(hash: &str) {
    let first = matches!(hash, "" | "#" | "#/");
    let wish = if first { Ok(Link::parse("#/run/day4")) } else { Ok::<_, String>(Link::parse(hash)) };
    let (link, notice) = match wish.and_then(|l| l.map_err(|e| e.to_string())) {
        Ok(link) => (link, None),
        Err(e) => (Link { scenario: "day4".into(), ..Link::default() }, Some(e)),
    };
    let (player, notice) = match Player::new(link, first) {
        Ok(player) => (Some(player), notice),
        Err(e) => (Player::new(Link { scenario: "day4".into(), ..Link::default() }, first).ok(), Some(e)),
    };
    let notify = with(|p| (p.notify.clone(), p.size));
    PLAYER.with(|slot| {
        *slot.borrow_mut() = player.map(|mut p| {
            if let Some((n, size)) = notify {
                (p.notify, p.size) = (n, size);
            }
            p.notice = notice;
            p
        });
    });
    pump();
}

impl Player {
    fn new(link: Link, first_run: bool) -> Result<Player, String> {
        let scenario = Scenario::preset(&link.scenario).map_err(|e| e.to_string())?;
        let scenario = link.seed.map_or(scenario.clone(), |s| scenario.with_seed(s));
        let scenario = match link.n {
            Some(n) => scenario.with_n(n).map_err(|e| e.to_string())?,
            None => scenario,
        };
        let interventions: Result<Vec<_>, _> = link.interventions.iter().map(|t| Intervention::parse(t)).collect();
        let counts = Counts {
            csc: scenario.entities.csc,
            css: scenario.gateways.n,
            cp: scenario.entities.cp,
            ev: scenario.entities.ev,
        };
        let info = crate::sim::export::info(&scenario, &link.scenario);
        let timelines =
            Timelines::open(scenario, interventions.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
        let waiting = Some(link.at.unwrap_or(Moment::Start));
        let playing = link.at.is_none();
        Ok(Player {
            timelines,
            active: BranchId(0),
            info,
            counts,
            film: Film::default(),
            folded: (0, 0, Rc::default()),
            count: 0,
            pres: 0,
            playing,
            rate: 1.0,
            complete: false,
            size: Size { width: 900.0, height: 600.0 },
            selected: None,
            chosen: None,
            reproduced: None,
            first_run,
            notice: None,
            pumping: false,
            waiting,
            scheduled: false,
            last_frame: None,
            frames: Vec::new(),
            notify: None,
            link,
        })
    }

    pub fn trace(&self) -> &Trace {
        self.timelines.trace(self.active)
    }

    pub fn timelines(&self) -> &Timelines {
        &self.timelines
    }

    pub fn warp(&self) -> &Warp {
        &self.film.warp
    }

    pub fn flights(&self) -> &Flights {
        &self.film.flights
    }

    /// Reads what the engine made since last time into the film.
    fn read_on(&mut self) {
        if self.film.branch != self.active.0 {
            self.film = Film { branch: self.active.0, ..Film::default() };
        }
        let effects = &self.timelines.trace(self.active).effects()[self.film.read as usize..];
        self.film.warp.extend(effects);
        self.film.flights.extend(effects);
        self.film.visible.extend(effects.iter().filter(|e| visible(e)).map(|e| e.id.0));
        self.film.read += effects.len() as u32;
    }

    /// One slice of the engine; true while there is more to do.
    fn slice(&mut self) -> bool {
        if !self.complete {
            let stop = self.timelines.run(self.active, Until::End, SLICE_STEPS);
            self.complete = matches!(stop, Stop::End | Stop::Reached | Stop::Limit);
        }
        self.read_on();
        self.arrive();
        !self.complete
    }

    /// Shows the moment that was asked for, once it is known.
    fn arrive(&mut self) {
        let Some(moment) = self.waiting else { return };
        let ready = match moment {
            Moment::Start => Some(true),
            Moment::Time(t) => Some(self.final_at(t.0)),
            Moment::Effect(id) => self.trace().get(id).map(|e| self.final_at(e.t.0)),
            Moment::End => None,
        };
        if self.complete || ready == Some(true) {
            self.waiting = None;
            self.go(moment);
        }
        if let Some(wanted) = self.link.digest10.clone().filter(|_| self.complete && self.reproduced.is_none()) {
            let at = self.position(self.link.at.unwrap_or(Moment::End));
            let trace = self.trace();
            self.reproduced = Some(trace.digest_at(trace.whole_steps(at)).to_string().starts_with(&wanted));
        }
    }

    /// Whether nothing the engine still makes can change the picture at virtual time `t`: the film has a knot beyond it
    /// (PAGE.md §2.4), and what is on its way then has arrived.
    fn final_at(&self, t: u64) -> bool {
        const LONGEST_FLIGHT: u64 = 1_000_000;
        let known = self.trace().effects().last().map_or(0, |e| e.t.0);
        self.film.warp.last_knot() > t && known > t.saturating_add(LONGEST_FLIGHT)
    }

    fn position(&self, moment: Moment) -> u32 {
        match moment {
            Moment::Start => 0,
            Moment::Time(t) => self.trace().count_until(t),
            Moment::Effect(id) => (id.0 + 1).min(self.trace().len()),
            Moment::End => self.trace().len(),
        }
    }

    fn go(&mut self, moment: Moment) {
        self.count = self.position(moment);
        self.pres = match moment {
            Moment::Start => 0,
            Moment::Time(t) => self.film.warp.presented_at(t.0),
            _ => self.film.warp.presented_at(self.shown_time()),
        };
    }

    /// Asks for a moment; it is shown as soon as it is known. True if it is shown already.
    pub fn seek(&mut self, moment: Moment) -> bool {
        self.playing = false;
        self.first_run = false;
        self.waiting = Some(moment);
        self.arrive();
        self.waiting.is_none()
    }

    pub fn settled(&self) -> bool {
        self.waiting.is_none()
    }

    /// Shows presentation time `p` of what is known.
    pub fn scrub(&mut self, p: u64) {
        self.playing = false;
        self.first_run = false;
        self.pres = p.min(self.length());
        self.count = self.trace().count_until(Micros(self.film.warp.virtual_at(self.pres)));
    }

    /// Length of the film so far in µs.
    pub fn length(&self) -> u64 {
        let last = self.trace().effects().last().map_or(0, |e| e.t.0);
        self.film.warp.presented_at(last).max(1)
    }

    /// Virtual time of the newest effect shown.
    pub fn shown_time(&self) -> u64 {
        self.count.checked_sub(1).and_then(|i| self.trace().effects().get(i as usize)).map_or(0, |e| e.t.0)
    }

    /// Steps by `event`, `beat` or `phase`, forward or back. False for an unknown word.
    pub fn step(&mut self, by: &str, n: i32) -> bool {
        self.playing = false;
        self.first_run = false;
        let phases: Vec<u32>;
        let stops: &[u32] = match by {
            "event" => &self.film.visible,
            "beat" => self.film.warp.story(),
            "phase" => {
                phases = self.film.warp.phases().iter().map(|p| p.1).collect();
                &phases
            }
            _ => return false,
        };
        let mut count = self.count;
        for _ in 0..n.unsigned_abs().min(10_000) {
            let end = if n > 0 { self.timelines.trace(self.active).len() } else { 0 };
            count = step(stops, count, n > 0).unwrap_or(end);
        }
        self.count = count;
        self.pres = self.film.warp.presented_at(self.shown_time());
        true
    }

    /// The stage at the shown moment, folded on from the last one where possible.
    pub fn stage(&mut self) -> Rc<StageState> {
        let (branch, from, state) = &self.folded;
        if *branch == self.active.0 && *from == self.count {
            return state.clone();
        }
        let effects = &self.timelines.trace(self.active).effects()[..self.count as usize];
        let next = if *branch == self.active.0 && *from < self.count {
            let mut next = (**state).clone();
            effects[*from as usize..].iter().for_each(|e| next.apply(e));
            next
        } else {
            StageState::fold(effects)
        };
        self.folded = (self.active.0, self.count, Rc::new(next));
        self.folded.2.clone()
    }

    /// Keeps the link to the shown moment, from which `boot.js` reopens the run if the page stops.
    pub fn keep_last_good(&self) {
        let store = web_sys::window().and_then(|w| w.session_storage().ok().flatten());
        if let Some(store) = store {
            // A full or denied store only costs the convenience.
            let _ = store.set_item("voltcast.lastgood", &self.human_link());
        }
    }

    /// Forks at the shown moment; the old future stays.
    pub fn inject(&mut self, mut wish: serde_json::Value) -> Result<u16, String> {
        self.keep_last_good();
        if wish.get("at").is_none() {
            let at = match self.count.checked_sub(1) {
                Some(id) => format!("e{id}"),
                None => "0ms".into(),
            };
            wish["at"] = at.into();
        }
        let intervention: Intervention = serde_json::from_value(wish).map_err(|e| e.to_string())?;
        let branch = self.timelines.fork(self.active, intervention).map_err(|e| e.to_string())?;
        self.activate(branch);
        Ok(branch.0)
    }

    /// Shows another branch at the same virtual time.
    pub fn activate(&mut self, branch: BranchId) {
        if !self.timelines.contains(branch) {
            return;
        }
        let before = self.shown_time();
        self.active = branch;
        self.complete = false;
        self.first_run = false;
        self.read_on();
        self.count = self.count.min(self.trace().count_until(Micros(before)));
        self.pres = self.film.warp.presented_at(before);
    }

    /// A link to the shown moment with its digest.
    pub fn human_link(&self) -> String {
        let trace = self.trace();
        let whole = trace.whole_steps(self.count);
        let at = match whole {
            0 => Moment::Start,
            n if self.complete && n == trace.len() => Moment::End,
            n => Moment::Effect(crate::sim::trace::EffectId(n - 1)),
        };
        let mine = self.timelines.branches().iter().find(|b| b.id == self.active);
        Link {
            scenario: self.link.scenario.clone(),
            seed: Some(self.info.seed),
            n: self.link.n,
            at: Some(at),
            interventions: mine.map_or(vec![], |b| b.interventions.iter().map(Intervention::to_text).collect()),
            digest10: Some(trace.digest_at(whole).short(10)),
            ..Link::default()
        }
        .to_human()
    }

    /// The JSON of WORLD.md §12 for the moment shown.
    pub fn state(&self) -> serde_json::Value {
        let shown = state::state(&self.info, self.trace(), self.count);
        let mut value = serde_json::to_value(shown).unwrap_or_default();
        let branches = self.timelines.branches().iter();
        let branches: Vec<_> = branches
            .map(|b| serde_json::json!({ "id": b.id.0, "parent": b.parent.map(|p| p.0), "at": b.at.0, "name": b.name }))
            .collect();
        value["complete"] = (self.complete && self.count == self.trace().len()).into();
        value["playing"] = self.playing.into();
        value["reproduced"] = self.reproduced.into();
        value["branch"] = self.active.0.into();
        value["branches"] = branches.into();
        value["evidence"] = serde_json::json!([]);
        value
    }

    pub fn stats(&self) -> serde_json::Value {
        serde_json::json!({ "frame_ms": self.frames, "effects": self.trace().len(), "complete": self.complete, "scene_ms": [] })
    }

    fn advance(&mut self, now: f64) -> bool {
        let dt = self.last_frame.map_or(0.0, |last| now - last);
        self.last_frame = self.playing.then_some(now);
        if !self.playing {
            return false;
        }
        if dt > 0.0 {
            if self.frames.len() == FRAMES {
                self.frames.remove(0);
            }
            self.frames.push(dt);
        }
        let end = self.length();
        self.pres = (self.pres + (dt.min(50.0) * 1000.0 * self.rate) as u64).min(end);
        let before = self.count;
        self.count = self.trace().count_until(Micros(self.film.warp.virtual_at(self.pres)));
        if self.complete && self.pres >= end {
            self.playing = false;
            self.count = self.trace().len();
        }
        self.count != before || !self.playing
    }
}

/// Tells Yew that something it shows may have changed, and asks for a frame.
pub fn refresh() {
    let notify = with(|p| p.notify.clone()).flatten();
    if let Some(notify) = notify {
        notify();
    }
    wake();
}

pub fn on_change(notify: Rc<dyn Fn()>) {
    with(|p| p.notify = Some(notify));
}

/// Lets the engine of the active branch run to the end, in slices between frames.
pub fn pump() {
    if with(|p| core::mem::replace(&mut p.pumping, true)) != Some(false) {
        return;
    }
    wasm_bindgen_futures::spawn_local(async {
        while with(Player::slice) == Some(true) {
            TimeoutFuture::new(0).await;
        }
        with(|p| {
            p.pumping = false;
            p.keep_last_good();
        });
        refresh();
    });
}

/// Asks for one frame; while playing each frame asks for the next.
pub fn wake() {
    if with(|p| core::mem::replace(&mut p.scheduled, true)) != Some(false) {
        return;
    }
    let Some(window) = web_sys::window() else { return };
    let closure = Closure::once_into_js(|now: f64| {
        let changed = with(|p| {
            p.scheduled = false;
            p.advance(now)
        });
        super::painter::paint();
        if changed == Some(true) {
            let notify = with(|p| p.notify.clone()).flatten();
            if let Some(notify) = notify {
                notify();
            }
        }
        if with(|p| p.playing) == Some(true) {
            wake();
        }
    });
    let _ = window.request_animation_frame(closure.unchecked_ref());
}

/// Presets for the menu: id and title.
pub fn presets() -> Vec<(&'static str, String)> {
    PRESETS.iter().map(|p| (p.id, Scenario::preset(p.id).map_or(p.id.into(), |s| s.name))).collect()
}
