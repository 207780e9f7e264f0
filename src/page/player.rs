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
use crate::scene::view::Flights;
use crate::scene::warp::Warp;
use crate::sim::intervention::Intervention;
use crate::sim::link::{Link, Moment};
use crate::sim::state::RunInfo;
use crate::sim::timelines::BranchId;
use crate::sim::trace::{Effect, EffectId, Kind, Trace};
use std::cell::RefCell;
use std::rc::Rc;

mod clock;
mod links;
mod moments;

pub use clock::{nudge, on_change, refresh};
pub use links::keep_address;

thread_local! {
    static PLAYER: RefCell<Option<Player>> = const { RefCell::new(None) };
}

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
