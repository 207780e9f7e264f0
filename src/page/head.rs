//! The shown moment in numbers and words: what the player tells the panels.

use super::player::{Player, Recovery};
use crate::entities::actor::ActorId;
use crate::scene::layout::Counts;
use crate::scene::words;
use crate::sim::trace::EffectId;

/// The shown moment in numbers and words, as the panels need it.
#[derive(Clone, PartialEq, Debug)]
pub struct Head {
    pub scenario: String,
    pub title: String,
    pub seed: u64,
    pub n: u16,
    pub f: usize,
    /// The cryptography of this run is a stand-in.
    pub stub: bool,
    /// Byzantine gateways so far, those that evidence names, and whether they are more than the protocol tolerates.
    pub liars: usize,
    /// Each with what is proved of it.
    pub culprits: Vec<String>,
    pub void: bool,
    pub violation: Option<String>,
    pub checks: u32,
    /// What happened last, in a sentence.
    pub told: String,
    /// Key, name, shown or not.
    pub branches: Vec<(u16, String, bool)>,
    /// Counts of actors (CSC, CSS, CP, EV).
    pub counts: (u16, u16, u16, u16),
    pub size: (f32, f32),
    pub playing: bool,
    pub pres: u64,
    pub length: u64,
    pub time_us: u64,
    pub count: u32,
    pub known: u32,
    /// Per cent.
    pub rate: u32,
    pub branch: u16,
    pub chosen: Option<u32>,
    pub selected: Option<ActorId>,
    pub complete: bool,
    /// The beginning of another future is shown, and stands.
    pub fresh: bool,
    /// The intervention that made this future changed nothing else in it.
    pub idle: bool,
    pub first_run: bool,
    pub reproduced: Option<bool>,
    pub notice: Option<String>,
    pub recovery: Option<Recovery>,
}

impl Player {
    fn fresh(&self) -> bool {
        let lane = self.lane();
        lane.parent.is_some() && !self.playing && self.count == lane.trace.end_of_step(EffectId(lane.shared))
    }

    /// The shown moment for the panels.
    pub fn head(&mut self) -> Head {
        let stage = self.stage();
        let newest = self.lane().film.visible.partition_point(|id| *id < self.count).checked_sub(1);
        let newest = newest.and_then(|i| self.trace().get(EffectId(self.lane().film.visible[i])));
        let Counts { csc, css, cp, ev } = self.counts;
        Head {
            scenario: self.info.scenario.clone(),
            title: self.lanes[0].name.clone(),
            seed: self.info.seed,
            n: css,
            f: self.info.f.into(),
            stub: self.stub,
            liars: stage.liars(),
            culprits: stage.convicted.iter().map(|(id, what)| format!("{}: it {what}", id.label())).collect(),
            void: stage.void,
            violation: stage.violation.clone(),
            checks: stage.checks,
            told: newest.map(words::sentence).unwrap_or_else(|| "Nothing has happened yet.".into()),
            branches: self.lanes.iter().map(|l| (l.key, l.name.clone(), l.key == self.active)).collect(),
            counts: (csc, css, cp, ev),
            size: (self.size.width, self.size.height),
            playing: self.playing,
            pres: self.pres,
            length: self.length(),
            time_us: self.shown_time(),
            count: self.count,
            known: self.trace().len(),
            rate: (self.rate * 100.0) as u32,
            branch: self.active,
            chosen: self.chosen,
            selected: self.selected,
            complete: self.complete(),
            fresh: self.fresh(),
            idle: self.lane().idle,
            first_run: self.first_run,
            reproduced: self.reproduced,
            notice: self.notice.clone(),
            recovery: self.recovery.clone(),
        }
    }
}
