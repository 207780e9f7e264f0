//! Which moment is shown: found by number, time or beat, or waited for until the engine has come so far (PAGE.md §2.4).

use super::Player;
use crate::scene::view::{self, step};
use crate::sim::link::Moment;
use crate::sim::trace::{EffectId, Kind};

impl Player {
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
}
