//! Presentation time ↔ virtual time (PAGE.md §2.4): every viewer of a run gets the same film.
//!
//! Story events are the knots; a gap of g µs between two knots lasts `clamp(12·g, 350 ms, 1200 ms)`. Integers only.

use crate::entities::fact::{FactKind, VoteKind};
use crate::sim::trace::{Effect, Kind};
use std::collections::BTreeSet;

const FACTOR: u64 = 12;
const SHORTEST: u64 = 350_000;
const LONGEST: u64 = 1_200_000;
/// Story events closer than this (µs of virtual time) are one knot.
const KNOT: u64 = 200;

/// The film of one trace: where its story events are and how long the gaps between them last.
#[derive(Clone, Debug, Default)]
pub struct Warp {
    /// (virtual µs, presentation µs), both ascending; starts at (0, 0).
    knots: Vec<(u64, u64)>,
    story: Vec<u32>,
    seen: BTreeSet<String>,
    /// First effect of each phase, in order of appearance.
    phases: Vec<(u8, u32)>,
}

/// Under which name an effect is told, once; `None` if it is no story event.
fn story_key(effect: &Effect) -> Option<String> {
    use FactKind as F;
    let actor = effect.actor.map(|a| a.to_string()).unwrap_or_default();
    let key = match &effect.kind {
        Kind::Fact(F::KeyAccepted { .. }) => format!("key {}", effect.actor?.role.prefix()),
        Kind::Fact(F::GenesisMade { .. }) => "genesis".into(),
        Kind::Fact(F::PluggedIn { .. }) => "plugged".into(),
        Kind::Fact(F::Planned { .. }) => "planned".into(),
        Kind::Fact(F::Signcrypted { sigma, flow: 1, .. }) => format!("signcrypted {sigma}"),
        Kind::Fact(F::Routed { sigma, .. }) => format!("routed {sigma}"),
        Kind::Fact(F::Verified { error: Some(e), .. }) => format!("bad {actor} {e}"),
        Kind::Fact(F::Verified { sigma, .. }) if effect.phase() == Some(3) => format!("verified {sigma}"),
        Kind::Fact(F::PrePrepared { view, seq, digest, .. }) => format!("proposed {view} {seq} {digest}"),
        Kind::Fact(F::Voted { vote, view, seq, .. }) => format!("vote {vote:?} {view} {seq}"),
        Kind::Fact(F::Prepared { view, seq, .. }) => format!("prepared {view} {seq} {actor}"),
        Kind::Fact(F::Committed { view, seq, .. }) => format!("committed {view} {seq} {actor}"),
        Kind::Fact(F::BlockAppended { height, .. }) => format!("block {height}"),
        Kind::Fact(F::VoteRefused { reason, seq, view, .. }) => format!("refused {reason} {view} {seq}"),
        Kind::Fact(F::ViewChange { target, .. }) => format!("change {target} {actor}"),
        Kind::Fact(F::NewView { view, .. }) => format!("new view {view}"),
        Kind::Fact(F::Opened { sigma, flow: 1, .. }) => format!("opened {sigma} {actor}"),
        Kind::Fact(F::NotAReceiver { sigma }) => format!("not {sigma} {actor}"),
        Kind::Fact(F::Dispatched { .. }) => "dispatched".into(),
        Kind::Fact(F::Billed { last: true, .. }) => format!("billed {actor}"),
        Kind::Crashed | Kind::Behaves { .. } | Kind::Intervened { .. } => format!("fault {}", effect.id.0),
        Kind::InvariantBroken { .. } | Kind::SafetyVoid => format!("broken {}", effect.id.0),
        _ => return None,
    };
    Some(key)
}

impl Warp {
    /// Appends effects; only what lies after the last knot can change.
    pub fn extend(&mut self, effects: &[Effect]) {
        if self.knots.is_empty() {
            self.knots.push((0, 0));
        }
        for effect in effects {
            if let Some(phase) = effect.phase().filter(|p| self.phases.iter().all(|(q, _)| q < p)) {
                self.phases.push((phase, effect.id.0));
            }
            let Some(key) = story_key(effect).filter(|k| !self.seen.contains(k)) else { continue };
            self.seen.insert(key);
            self.story.push(effect.id.0);
            let (t, p) = self.knots[self.knots.len() - 1];
            let gap = effect.t.0.saturating_sub(t);
            if gap >= KNOT {
                self.knots.push((effect.t.0, p + gap.saturating_mul(FACTOR).clamp(SHORTEST, LONGEST)));
            }
        }
    }

    /// Story events, by effect id.
    pub fn story(&self) -> &[u32] {
        &self.story
    }

    /// First effect of each phase that has begun.
    pub fn phases(&self) -> &[(u8, u32)] {
        &self.phases
    }

    /// Length of the film in µs, up to its last knot.
    pub fn length(&self) -> u64 {
        self.knots.last().map_or(0, |k| k.1)
    }

    /// Virtual time of the last knot: before it, nothing can change any more.
    pub fn last_knot(&self) -> u64 {
        self.knots.last().map_or(0, |k| k.0)
    }

    /// W: virtual time at presentation time `p`; after the last knot time passes twelve times slowed down.
    pub fn virtual_at(&self, p: u64) -> u64 {
        self.map(p, |k| (k.1, k.0), |over| over / FACTOR)
    }

    /// P: presentation time of virtual time `t`.
    pub fn presented_at(&self, t: u64) -> u64 {
        self.map(t, |k| *k, |over| over.saturating_mul(FACTOR).min(LONGEST))
    }

    fn map(&self, x: u64, pair: impl Fn(&(u64, u64)) -> (u64, u64), beyond: impl Fn(u64) -> u64) -> u64 {
        let at = self.knots.partition_point(|k| pair(k).0 <= x);
        let Some((x0, y0)) = at.checked_sub(1).and_then(|i| self.knots.get(i)).map(&pair) else { return 0 };
        match self.knots.get(at).map(&pair) {
            None => y0 + beyond(x - x0),
            Some((x1, y1)) => y0 + ((u128::from(x - x0) * u128::from(y1 - y0)) / u128::from(x1 - x0)) as u64,
        }
    }
}

/// Name of a voting round on the screen.
pub fn round(vote: VoteKind) -> &'static str {
    match vote {
        VoteKind::Prepare => "prepare",
        VoteKind::Commit => "commit",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::scenario::Scenario;
    use crate::sim::timelines::{BranchId, Timelines, Until};

    fn film(preset: &str, part: usize) -> (Warp, Vec<Effect>) {
        let scenario = Scenario::preset(preset).expect("a preset");
        let mut run = Timelines::open_headless(scenario, vec![]).expect("opens");
        run.run(BranchId(0), Until::End, u32::MAX);
        let effects = run.trace(BranchId(0)).effects().to_vec();
        let mut warp = Warp::default();
        warp.extend(&effects[..effects.len() * part / 100]);
        (warp, effects)
    }

    /// S11: W never falls, and P and W undo each other at every effect.
    #[test]
    fn film_time_never_goes_back() {
        for preset in ["day4", "one-liar", "bad-ciphertext"] {
            let (warp, effects) = film(preset, 100);
            let mut last = 0;
            for p in (0..warp.length() + 2_000_000).step_by(10_007) {
                let t = warp.virtual_at(p);
                assert!(t >= last, "{preset} at {p}");
                last = t;
            }
            for e in effects.iter().filter(|e| e.t.0 <= warp.last_knot()) {
                let back = warp.virtual_at(warp.presented_at(e.t.0));
                let gap = e.t.0 - back.min(e.t.0);
                assert!(back <= e.t.0 && (gap == 0 || gap <= e.t.0 / 100 + 1), "{preset}: {} became {back}", e.t.0);
            }
        }
    }

    /// S5: what comes later changes the film only after its last knot.
    #[test]
    fn appending_leaves_the_film_before_its_last_knot() {
        let (whole, _) = film("one-liar", 100);
        for part in [20, 40, 60, 80] {
            let (some, effects) = film("one-liar", part);
            for e in effects.iter().filter(|e| e.t.0 <= some.last_knot()) {
                assert_eq!(some.presented_at(e.t.0), whole.presented_at(e.t.0), "{part} %: {}", e.t.0);
            }
        }
    }
}
