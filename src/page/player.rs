//! The player: mirror of the run, branches and playhead, outside Yew (PAGE.md §2.6).
//!
//! The engine sends effects through the [`port`]; this side keeps them per branch ([`Lane`]) and shows them. Position is
//! a number of effects; presentation time follows from it through the film's warp. Nothing here decides what happens.

use super::conduct;
use super::lane::{Film, Lane};
use super::port::{self, frame};
use super::theme;
use crate::entities::actor::ActorId;
use crate::entities::stub::Crypto;
use crate::ledger::Micros;
use crate::scene::layout::{Counts, Ground, Size};
use crate::scene::stage::StageState;
use crate::scene::view::{self, Flights, step};
use crate::scene::warp::Warp;
use crate::sim::intervention::Intervention;
use crate::sim::link::{Link, Moment};
use crate::sim::state::{self, RunInfo};
use crate::sim::timelines::BranchId;
use crate::sim::trace::{Effect, EffectId, Kind, Trace};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;

thread_local! {
    static PLAYER: RefCell<Option<Player>> = const { RefCell::new(None) };
}

/// How long the end of the first run is shown before it begins again.
const REST_MS: f64 = 4_000.0;
/// How long each still is shown where nothing may move.
const STILL_MS: f64 = 1_500.0;
/// Frame times kept for `stats()`.
const FRAMES: usize = 600;
/// While time passes, what Yew shows is renewed this often (PAGE.md §2.6); the canvas is painted with every frame.
const RENEW_MS: f64 = 100.0;

/// The engine stopped and another one took over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovery {
    pub message: String,
    pub place: String,
    /// Effects known when it happened, and how often it has happened there.
    pub event: u32,
    pub times: u32,
}

pub struct Player {
    pub lanes: Vec<Lane>,
    pub active: u16,
    next_key: u16,
    pub link: Link,
    pub info: RunInfo,
    pub counts: Counts,
    /// The cryptography of the run is a stand-in.
    pub stub: bool,
    /// Number of the command that opened the run; until its answer, what comes belongs to an earlier run.
    pub opening: Option<u32>,
    folded: (u16, u32, Rc<StageState>),
    /// Effects shown.
    pub count: u32,
    /// Presentation time in µs.
    pub pres: u64,
    pub playing: bool,
    /// It was playing when a menu was opened.
    pub resume: bool,
    /// Stills instead of motion, as the device asks.
    pub stills: bool,
    pub rate: f64,
    pub size: Size,
    pub selected: Option<ActorId>,
    pub chosen: Option<u32>,
    pub reproduced: Option<bool>,
    pub first_run: bool,
    /// What went wrong with the newest wish, in a sentence.
    pub notice: Option<String>,
    pub recovery: Option<Recovery>,
    waiting: Option<Moment>,
    scheduled: bool,
    last_frame: Option<f64>,
    /// Something that Yew shows has changed, and when it was last told of that.
    stale: bool,
    renewed: f64,
    /// Milliseconds that the first run has stood at its end.
    rest: f64,
    frames: Vec<f64>,
    notify: Option<Rc<dyn Fn()>>,
}

/// Runs `f` with the player; `None` before the first run is open.
pub fn with<R>(f: impl FnOnce(&mut Player) -> R) -> Option<R> {
    PLAYER.with(|p| p.borrow_mut().as_mut().map(f))
}

/// Puts the run that is shown into the address bar, so that a reload opens it again; without a new entry in the history.
pub fn keep_address() {
    let link = with(|p| p.address());
    let history = web_sys::window().and_then(|w| w.history().ok());
    if let (Some(link), Some(history)) = (link, history) {
        let _ = history.replace_state_with_url(&wasm_bindgen::JsValue::NULL, "", Some(&link));
    }
}

/// Opens the run of a fragment. A link that is wrong is explained, and the default run is shown.
pub fn open(hash: &str) {
    let first = matches!(hash, "" | "#" | "#/");
    let default = || Link { scenario: "day4".into(), ..Link::default() };
    let wish = if first { Ok(default()) } else { Link::parse(hash).map_err(|e| e.to_string()) };
    let (link, notice) = match wish {
        Ok(link) => (link, None),
        Err(e) => (default(), Some(e)),
    };
    let (player, notice) = match Player::new(link, first) {
        Ok(player) => (Some(player), notice),
        Err(e) => (Player::new(default(), first).ok(), Some(e)),
    };
    let before = with(|p| (p.notify.clone(), p.size));
    PLAYER.with(|slot| {
        *slot.borrow_mut() = player.map(|mut p| {
            if let Some((notify, size)) = before {
                (p.notify, p.size) = (notify, size);
            }
            let ignored = &p.link.ignored;
            p.notice = notice.or((!ignored.is_empty())
                .then(|| format!("The link says `{}`, which means nothing here.", ignored.join("`, `"))));
            p
        });
    });
    if let Some(worker) = with(|p| !p.link.no_worker) {
        port::connect(worker);
    }
    conduct::open_run(None);
}

impl Player {
    fn new(link: Link, first_run: bool) -> Result<Player, String> {
        let (scenario, interventions) = link.resolve()?;
        interventions.iter().try_for_each(|i| scenario.allows(&i.action))?;
        let counts = Counts {
            csc: scenario.entities.csc,
            css: scenario.gateways.n,
            cp: scenario.entities.cp,
            ev: scenario.entities.ev,
        };
        let info = crate::sim::export::info(&scenario, &link.scenario);
        let root = Lane {
            key: 0,
            engine: Some(BranchId(0)),
            parent: None,
            shared: 0,
            name: scenario.name.clone(),
            interventions,
            trace: Trace::new(),
            film: Film::default(),
            complete: false,
            idle: false,
        };
        Ok(Player {
            lanes: vec![root],
            active: 0,
            next_key: 1,
            info,
            counts,
            stub: scenario.gateways.crypto == Crypto::Stub,
            opening: None,
            folded: (0, 0, Rc::default()),
            count: 0,
            pres: 0,
            playing: link.at.is_none() && !theme::stills(),
            resume: false,
            stills: theme::stills(),
            rate: 1.0,
            size: Size { width: 900.0, height: 600.0 },
            selected: None,
            chosen: None,
            reproduced: None,
            first_run,
            notice: None,
            recovery: None,
            waiting: Some(link.at.unwrap_or(Moment::Start)),
            scheduled: false,
            last_frame: None,
            stale: true,
            renewed: 0.0,
            rest: 0.0,
            frames: Vec::new(),
            notify: None,
            link,
        })
    }

    /// The branch shown.
    pub fn lane(&self) -> &Lane {
        self.lanes.iter().find(|l| l.key == self.active).unwrap_or(&self.lanes[0])
    }

    fn effects_of(&self, key: u16) -> &[Effect] {
        self.lanes.iter().find(|l| l.key == key).map_or(&[], |l| l.trace.effects())
    }

    pub fn lane_mut(&mut self, key: u16) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|l| l.key == key)
    }

    pub fn trace(&self) -> &Trace {
        &self.lane().trace
    }

    pub fn warp(&self) -> &Warp {
        &self.lane().film.warp
    }

    pub fn flights(&self) -> &Flights {
        &self.lane().film.flights
    }

    /// The future that the branch shown grew from, as far as it went its own way: first own effect, and its film.
    pub fn ghost(&self) -> Option<(u32, &Film)> {
        let lane = self.lane();
        let parent = self.lanes.iter().find(|l| Some(l.key) == lane.parent)?;
        Some((lane.shared, &parent.film))
    }

    /// Whether the whole branch shown is known.
    pub fn complete(&self) -> bool {
        self.lane().complete
    }

    /// Takes effects of the engine into the mirror. What is known already must be the same again.
    ///
    /// # Errors
    /// One sentence, if the effects do not continue the branch or do not have the digest they came with.
    pub fn take(&mut self, chunk: frame::Chunk) -> Result<(), String> {
        let Some(lane) = self.lanes.iter_mut().find(|l| l.engine == Some(chunk.branch)) else { return Ok(()) };
        let end = chunk.first.0 + chunk.effects.len() as u32;
        for effect in chunk.effects {
            match lane.trace.get(effect.id) {
                Some(known) if *known == effect => {}
                Some(_) => return Err(format!("event {} of this run came out differently", effect.id.0)),
                None => lane.trace.push(effect).map_err(|e| e.to_string())?,
            }
        }
        if lane.trace.digest_at(end) != chunk.digest {
            return Err(format!("the digest after {end} events is not the engine's"));
        }
        lane.read_on();
        self.arrive();
        Ok(())
    }

    /// The branch is known to its end.
    pub fn finish(&mut self, engine: BranchId) {
        if let Some(lane) = self.lanes.iter_mut().find(|l| l.engine == Some(engine)) {
            lane.complete = true;
            let intervened = |e: &&Effect| matches!(e.kind, Kind::Intervened { .. });
            let missing = lane.interventions.len()
                - lane.trace.effects().iter().filter(intervened).count().min(lane.interventions.len());
            if missing > 0 {
                let text = format!(
                    "{missing} of the {} interventions never came to pass: their moments are not in this run.",
                    lane.interventions.len()
                );
                self.notice = Some(text);
            }
            let (key, parent, shared) = (lane.key, lane.parent, lane.shared);
            let parent = self.lanes.iter().find(|l| Some(l.key) == parent).filter(|l| l.complete);
            let idle = parent.is_some_and(|p| !differ(p.trace.effects(), self.effects_of(key), shared));
            if let Some(lane) = self.lane_mut(key) {
                lane.idle = idle;
            }
        }
        self.arrive();
    }

    /// Adds a branch that shares its first effects with `parent`, and shows it.
    pub fn grow(
        &mut self,
        parent: u16,
        engine: BranchId,
        shared: u32,
        name: String,
        interventions: Vec<Intervention>,
    ) -> u16 {
        let key = self.next_key;
        let parents = self.lanes.iter().find(|l| l.key == parent).unwrap_or(&self.lanes[0]);
        let (trace, film) = parents.beginning(shared);
        let mut lane = Lane {
            key,
            engine: Some(engine),
            parent: Some(parent),
            shared,
            name,
            interventions,
            trace,
            film,
            complete: false,
            idle: false,
        };
        lane.read_on();
        self.next_key += 1;
        self.lanes.push(lane);
        key
    }

    /// Shows the moment that was asked for, once it is known.
    pub fn arrive(&mut self) {
        let Some(moment) = self.waiting else { return };
        let ready = match moment {
            Moment::Start => Some(true),
            Moment::Time(t) => Some(self.final_at(t.0)),
            Moment::Effect(id) => self.trace().get(id).map(|e| self.final_at(e.t.0)),
            Moment::End => None,
        };
        if self.complete() || ready == Some(true) {
            self.waiting = None;
            if let Moment::Effect(id) = moment
                && id.0 >= self.trace().len()
            {
                self.notice = Some(format!("This run has no event {}; its end is shown.", id.0));
            }
            self.go(moment);
        }
        if let Some(wanted) = self.link.digest10.clone().filter(|_| self.complete() && self.reproduced.is_none()) {
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
        self.warp().last_knot() > t && known > t.saturating_add(LONGEST_FLIGHT)
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
            Moment::Time(t) => self.lane().film.warp.presented_at(t.0),
            _ => self.shown_at(),
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

    /// Shows what an intervention at the shown moment did: the whole of its step.
    pub fn show_intervention(&mut self, shared: u32) {
        if self.trace().get(EffectId(shared)).is_some_and(|e| matches!(e.kind, Kind::Intervened { .. })) {
            self.count = self.trace().end_of_step(EffectId(shared));
            self.pres = self.shown_at();
        }
    }

    /// Shows presentation time `p` of what is known.
    pub fn scrub(&mut self, p: u64) {
        self.playing = false;
        self.first_run = false;
        self.pres = p.min(self.length());
        self.count = self.warp().count_at(self.pres, self.trace());
    }

    /// Length of the film so far in µs: until the last short message is no longer drawn.
    pub fn length(&self) -> u64 {
        let last = self.trace().effects().last().map_or(0, |e| e.t.0);
        self.warp().presented_at(last) + view::STILL + 1
    }

    /// Presentation time of the shown number of effects.
    fn shown_at(&self) -> u64 {
        if self.complete() && self.count == self.trace().len() {
            return self.length();
        }
        self.warp().shows(self.count, self.shown_time())
    }

    /// Virtual time of the newest effect shown.
    pub fn shown_time(&self) -> u64 {
        self.count.checked_sub(1).and_then(|i| self.trace().effects().get(i as usize)).map_or(0, |e| e.t.0)
    }

    /// Steps by `event`, `beat` or `phase`, forward or back. False for an unknown word.
    pub fn step(&mut self, by: &str, n: i32) -> bool {
        self.playing = false;
        self.first_run = false;
        let lane = self.lane();
        let phases: Vec<u32>;
        let stops: &[u32] = match by {
            "event" => &lane.film.visible,
            "beat" => lane.film.warp.story(),
            "phase" => {
                phases = lane.film.warp.phases().iter().map(|p| p.1).collect();
                &phases
            }
            _ => return false,
        };
        let end = if n > 0 { lane.trace.len() } else { 0 };
        let mut count = self.count;
        for _ in 0..n.unsigned_abs().min(10_000) {
            count = step(stops, count, n > 0).unwrap_or(end);
        }
        self.count = count;
        self.pres = self.shown_at();
        true
    }

    /// The stage at the shown moment, folded on from the last one where possible.
    pub fn stage(&mut self) -> Rc<StageState> {
        let (active, count) = (self.active, self.count);
        let (branch, from, _) = self.folded;
        if (branch, from) != (active, count) {
            let from = (branch == active && from <= count).then_some(from);
            let folded = from.map(|from| (from, core::mem::take(&mut self.folded.2)));
            if let Some(lane) = self.lanes.iter_mut().find(|l| l.key == active) {
                self.folded = (active, count, lane.stage_at(count, folded));
            }
        }
        self.folded.2.clone()
    }

    /// Where everybody stands at the shown moment.
    pub fn ground(&mut self) -> Ground {
        let stage = self.stage();
        Ground::new(self.size, self.counts, stage.cables())
    }

    /// Keeps the link to the shown moment, from which `boot.js` reopens the run if the page stops.
    pub fn keep_last_good(&self) {
        let store = web_sys::window().and_then(|w| w.session_storage().ok().flatten());
        if let Some(store) = store {
            // A full or denied store only costs the convenience.
            let _ = store.set_item("voltcast.lastgood", &self.human_link());
        }
    }

    /// Shows another branch at the same virtual time. False if there is none of that name.
    pub fn activate(&mut self, key: u16) -> bool {
        if !self.lanes.iter().any(|l| l.key == key) {
            return false;
        }
        let before = self.shown_time();
        let chosen = self.chosen.and_then(|id| self.trace().get(EffectId(id)).cloned());
        self.active = key;
        // What was looked at may be another event here.
        self.chosen = self.chosen.filter(|id| self.trace().get(EffectId(*id)) == chosen.as_ref());
        self.first_run = false;
        self.count = self.count.min(self.trace().count_until(Micros(before)));
        self.pres = self.warp().presented_at(before);
        true
    }

    /// Forgets a branch that has no branches of its own; the first one stays. Its parent is shown instead.
    pub fn forget(&mut self, key: u16) -> Option<BranchId> {
        let parent = self.lanes.iter().find(|l| l.key == key)?.parent?;
        if self.lanes.iter().any(|l| l.parent == Some(key)) {
            return None;
        }
        if self.active == key {
            self.activate(parent);
        }
        let at = self.lanes.iter().position(|l| l.key == key)?;
        self.lanes.remove(at).engine
    }

    /// The link that opens the first branch, without a moment.
    pub fn opening_link(&self) -> String {
        Link { at: None, digest10: None, select: None, ..self.link.clone() }.to_human()
    }

    /// A link to the branch shown, without a moment.
    fn address(&self) -> String {
        let interventions = self.lane().interventions.iter().map(Intervention::to_text).collect();
        Link { at: None, digest10: None, select: None, interventions, ..self.link.clone() }.to_human()
    }

    /// A link to the shown moment with its digest.
    pub fn human_link(&self) -> String {
        let trace = self.trace();
        let whole = trace.whole_steps(self.count);
        let at = match whole {
            0 => Moment::Start,
            n if self.complete() && n == trace.len() => Moment::End,
            n => Moment::Effect(EffectId(n - 1)),
        };
        Link {
            scenario: self.link.scenario.clone(),
            seed: Some(self.info.seed),
            n: self.link.n,
            at: Some(at),
            interventions: self.lane().interventions.iter().map(Intervention::to_text).collect(),
            digest10: Some(trace.digest_at(whole).short(10)),
            ..Link::default()
        }
        .to_human()
    }

    /// The JSON of WORLD.md §12 for the moment shown.
    pub fn state(&self) -> serde_json::Value {
        let shown = state::state(&self.info, self.trace(), self.count);
        let mut value = serde_json::to_value(shown).unwrap_or_default();
        let branches: Vec<_> = self.lanes.iter()
            .map(|l| serde_json::json!({ "id": l.key, "parent": l.parent, "at": l.shared.saturating_sub(1), "name": l.name }))
            .collect();
        value["complete"] = (self.complete() && self.count == self.trace().len()).into();
        value["playing"] = self.playing.into();
        value["reproduced"] = self.reproduced.into();
        value["branch"] = self.active.into();
        value["branches"] = branches.into();
        value
    }

    pub fn stats(&self) -> serde_json::Value {
        serde_json::json!({ "frame_ms": self.frames, "effects": self.trace().len(), "complete": self.complete(), "worker": port::in_worker(), "scene_ms": [] })
    }

    /// Playing without motion: from beat to beat, and at the end no further.
    fn next_still(&mut self, dt: f64) -> bool {
        self.rest += dt * self.rate;
        if self.rest < STILL_MS {
            return false;
        }
        self.rest = 0.0;
        self.step("beat", 1);
        self.playing = self.count < self.trace().len() || !self.complete();
        true
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
        if self.stills {
            return self.next_still(dt);
        }
        let end = self.length();
        self.pres = (self.pres + (dt.min(50.0) * 1000.0 * self.rate) as u64).min(end);
        let before = self.count;
        self.count = self.warp().count_at(self.pres, self.trace());
        if self.complete() && self.pres >= end {
            self.count = self.trace().len();
            self.rest += dt;
            // The first run begins again until somebody takes over.
            match self.first_run {
                true if self.rest >= REST_MS => (self.pres, self.count, self.rest) = (0, 0, 0.0),
                first => self.playing = first,
            }
        }
        let shown = self.trace().effects().get(before as usize..self.count as usize).unwrap_or_default();
        if shown.iter().any(|e| matches!(e.kind, Kind::InvariantBroken { .. })) {
            self.playing = false;
        }
        self.count != before || !self.playing
    }
}

/// Whether two futures differ in what they did from `shared` on, the wish that parted them apart.
fn differ(one: &[Effect], other: &[Effect], shared: u32) -> bool {
    let own = |e: &&Effect| !matches!(e.kind, Kind::Intervened { .. } | Kind::Behaves { .. });
    let what = |effects: &'_ [Effect]| {
        let rest = effects.iter().skip(shared as usize).filter(own);
        rest.map(|e| (e.t, e.actor, core::mem::discriminant(&e.kind))).collect::<Vec<_>>()
    };
    what(one) != what(other)
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

/// As [`refresh`], with the next frame and not more often than Yew is renewed: for what comes many times a second.
pub fn nudge() {
    with(|p| p.stale = true);
    wake();
}

/// Asks for one frame; while playing each frame asks for the next.
pub fn wake() {
    if with(|p| core::mem::replace(&mut p.scheduled, true)) != Some(false) {
        return;
    }
    let Some(window) = web_sys::window() else { return };
    let closure = Closure::once_into_js(|now: f64| {
        let notify = with(|p| {
            p.scheduled = false;
            let playing = p.playing;
            p.stale |= p.advance(now);
            // A stop is told at once.
            let due = p.stale && (playing != p.playing || !(0.0..RENEW_MS).contains(&(now - p.renewed)));
            if due {
                (p.stale, p.renewed) = (false, now);
            }
            p.notify.clone().filter(|_| due)
        });
        super::painter::paint();
        if let Some(notify) = notify.flatten() {
            notify();
        }
        if with(|p| p.playing || p.stale) == Some(true) {
            wake();
        }
    });
    let _ = window.request_animation_frame(closure.unchecked_ref());
}
