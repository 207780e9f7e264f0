//! Presentation time ↔ virtual time (PAGE.md §2.4): every viewer of a run gets the same film.
//!
//! Story events are the knots; a gap of g µs between two knots lasts `clamp(12·g, 350 ms, 1200 ms)`. A knot may carry
//! dwells, in which virtual time stands still and the local steps of one computation are shown one by one. Integers only.

use crate::entities::fact::{FactKind, Op, VoteKind};
use crate::ledger::Micros;
use crate::sim::trace::{Effect, Kind, Trace};
use std::collections::BTreeSet;

const FACTOR: u64 = 12;
const SHORTEST: u64 = 350_000;
const LONGEST: u64 = 1_200_000;
/// Story events closer than this (µs of virtual time) are one knot.
const KNOT: u64 = 200;

/// A moment of virtual time and the stretch of presentation time that it takes.
#[derive(Clone, Copy, Debug, Default)]
struct Knot {
    t: u64,
    /// Begin and end in presentation µs; equal without a dwell.
    left: u64,
    right: u64,
}

/// Local steps shown one after the other: part i lasts `part` µs and shows the first `stops[i]` effects.
#[derive(Clone, Debug)]
struct Dwell {
    t: u64,
    left: u64,
    part: u64,
    stops: Vec<u32>,
}

impl Dwell {
    fn right(&self) -> u64 {
        self.left + self.part * self.stops.len() as u64
    }
}

/// A gap that is shown shorter than it was: presentation µs from, to, and its true length in µs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    pub from: u64,
    pub to: u64,
    pub true_us: u64,
}

/// The film of one trace: where its story events are and how long the gaps between them last.
#[derive(Clone, Debug, Default)]
pub struct Warp {
    /// Ascending in all three; starts at 0.
    knots: Vec<Knot>,
    dwells: Vec<Dwell>,
    gaps: Vec<Gap>,
    story: Vec<u32>,
    seen: BTreeSet<String>,
    /// Where the story goes over to another phase: the phase, its story event, the virtual time of that. Phases 3 and 4
    /// take turns, as piles open while gateways still vote.
    phases: Vec<(u8, u32, u64)>,
    /// Number of the step that is being read, and the local computations in it so far.
    local: (u64, Vec<(u32, Local)>),
}

/// A local computation that a dwell can show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Local {
    Op(Op),
    Located,
    /// An earlier ciphertext of the same step ends here.
    Sealed,
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
        Kind::Fact(F::Evidence { culprit, .. }) | Kind::Convicted { culprit, .. } => format!("evidence {culprit}"),
        Kind::Fact(F::VoteRefused { reason, seq, view, .. }) => format!("refused {reason} {view} {seq}"),
        Kind::Fact(F::ViewChange { target, .. }) => format!("change {target} {actor}"),
        Kind::Fact(F::NewView { view, .. }) => format!("new view {view}"),
        Kind::Fact(F::KeyReleased { sigma }) => format!("released {sigma}"),
        Kind::Fact(F::Opened { sigma, flow: 1, .. }) => format!("opened {sigma} {actor}"),
        Kind::Fact(F::Leaked { sigma, .. }) => format!("leaked {sigma} {actor}"),
        Kind::Fact(F::NotAReceiver { sigma }) => format!("not {sigma} {actor}"),
        Kind::Fact(F::Dispatched { .. }) => "dispatched".into(),
        Kind::Fact(F::Billed { last: true, .. }) => format!("billed {actor}"),
        Kind::Crashed | Kind::Behaves { .. } | Kind::Intervened { .. } => format!("fault {}", effect.id.0),
        Kind::InvariantBroken { .. } | Kind::SafetyVoid { .. } => format!("broken {}", effect.id.0),
        _ => return None,
    };
    Some(key)
}

/// How long the computation behind a story event is shown, and when; empty without a dwell. `local` is what its actor
/// computed in this step before.
fn dwell(effect: &Effect, local: &[(u32, Local)]) -> (u64, Vec<u32>) {
    use FactKind as F;
    let last = |wanted: &[Local]| {
        let at = |w: &Local| local.iter().rev().find(|(_, l)| l == w).map(|(id, _)| id + 1);
        wanted.iter().filter_map(at).collect::<Vec<u32>>()
    };
    // The outcome is the last part.
    let then = |parts: Vec<u32>| if parts.is_empty() { parts } else { [parts, vec![effect.id.0 + 1]].concat() };
    let op = Local::Op;
    match &effect.kind {
        Kind::Fact(F::Signcrypted { flow: 1, .. }) => {
            let own = local.iter().rposition(|(_, l)| *l == Local::Sealed).map_or(0, |at| at + 1);
            // Both signatures are one of the six parts.
            let parts = local[own..].iter().filter(|(_, l)| *l != op(Op::InnerSignature));
            (1_500_000, parts.map(|(id, _)| id + 1).collect())
        }
        Kind::Fact(F::KeyAccepted { .. }) => (600_000, then(last(&[op(Op::AcceptKey)]))),
        Kind::Fact(F::PrePrepared { .. }) => (600_000, last(&[op(Op::MerkleRoot)])),
        Kind::Fact(F::Opened { flow: 1, .. }) => {
            (1_200_000, then(last(&[Local::Located, op(Op::OpenEntry), op(Op::CheckSender)])))
        }
        _ => (0, vec![]),
    }
}

impl Warp {
    /// Appends effects; only what lies after the begin of the last knot can change.
    pub fn extend(&mut self, effects: &[Effect]) {
        if self.knots.is_empty() {
            self.knots.push(Knot::default());
        }
        for effect in effects {
            self.read_local(effect);
            let Some(key) = story_key(effect).filter(|k| !self.seen.contains(k)) else { continue };
            self.seen.insert(key);
            self.story.push(effect.id.0);
            if let Some(phase) = effect.phase().filter(|p| self.phases.last().is_none_or(|(q, ..)| q != p)) {
                self.phases.push((phase, effect.id.0, effect.t.0));
            }
            // The second pile opens the same way; one dwell for each ciphertext is enough.
            let again = match &effect.kind {
                Kind::Fact(FactKind::Opened { sigma, .. }) => !self.seen.insert(format!("dwell {sigma}")),
                _ => false,
            };
            let (length, stops) = if again { (0, vec![]) } else { dwell(effect, &self.local.1) };
            self.knot(effect.t.0, !stops.is_empty());
            if !stops.is_empty() {
                self.dwell(effect.t.0, length, stops);
            }
        }
    }

    fn read_local(&mut self, effect: &Effect) {
        if effect.step != self.local.0 {
            self.local = (effect.step, Vec::new());
        }
        let local = match &effect.kind {
            Kind::Fact(FactKind::Step { op, .. }) => Local::Op(*op),
            Kind::Fact(FactKind::Located { .. }) => Local::Located,
            Kind::Fact(FactKind::Signcrypted { flow, .. }) if *flow != 1 => Local::Sealed,
            _ => return,
        };
        self.local.1.push((effect.id.0, local));
    }

    /// Makes a knot at virtual time `t`, unless there is one close by (`exact`: at that very time).
    fn knot(&mut self, t: u64, exact: bool) {
        let before = self.knots[self.knots.len() - 1];
        let gap = t.saturating_sub(before.t);
        if gap >= KNOT || (exact && gap > 0) {
            let wanted = gap.saturating_mul(FACTOR);
            let left = before.right + wanted.clamp(SHORTEST, LONGEST);
            if wanted > LONGEST {
                self.gaps.push(Gap { from: before.right, to: left, true_us: gap });
            }
            self.knots.push(Knot { t, left, right: left });
        }
    }

    fn dwell(&mut self, t: u64, length: u64, stops: Vec<u32>) {
        let Some(knot) = self.knots.last_mut() else { return };
        let dwell = Dwell { t, left: knot.right, part: length / stops.len() as u64, stops };
        knot.right = dwell.right();
        self.dwells.push(dwell);
    }

    /// Story events, by effect id.
    pub fn story(&self) -> &[u32] {
        &self.story
    }

    /// Where the story goes over to another phase: its number, its story event, and the virtual time of that.
    pub fn phases(&self) -> &[(u8, u32, u64)] {
        &self.phases
    }

    /// Gaps that are shown shorter than they were.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Length of the film in µs, up to its last knot.
    pub fn length(&self) -> u64 {
        self.knots.last().map_or(0, |k| k.right)
    }

    /// Virtual time of the last knot: before it, nothing can change any more.
    pub fn last_knot(&self) -> u64 {
        self.knots.last().map_or(0, |k| k.t)
    }

    /// W: virtual time at presentation time `p`; after the last knot time passes twelve times slowed down.
    pub fn virtual_at(&self, p: u64) -> u64 {
        let at = self.knots.partition_point(|k| k.left <= p);
        let Some(knot) = at.checked_sub(1).and_then(|i| self.knots.get(i)) else { return 0 };
        let over = p.saturating_sub(knot.right);
        match self.knots.get(at) {
            None => knot.t + over / FACTOR,
            Some(next) => knot.t + scaled(over, next.left - knot.right, next.t - knot.t),
        }
    }

    /// P_right: presentation time at which virtual time `t` is over, after its dwells. For sends and for positions.
    pub fn presented_at(&self, t: u64) -> u64 {
        let at = self.knots.partition_point(|k| k.t <= t);
        let Some(knot) = at.checked_sub(1).and_then(|i| self.knots.get(i)) else { return 0 };
        let over = t - knot.t;
        match self.knots.get(at) {
            None => knot.right + over.saturating_mul(FACTOR).min(LONGEST),
            Some(next) => knot.right + scaled(over, next.t - knot.t, next.left - knot.right),
        }
    }

    /// P_left: presentation time at which virtual time `t` begins, before its dwells. For receipts.
    pub fn begins_at(&self, t: u64) -> u64 {
        match self.knots.binary_search_by_key(&t, |k| k.t) {
            Ok(at) => self.knots[at].left,
            Err(_) => self.presented_at(t),
        }
    }

    /// Number of effects shown at presentation time `p`: in a dwell only its steps so far.
    pub fn count_at(&self, p: u64, trace: &Trace) -> u32 {
        let at = self.dwells.partition_point(|d| d.left <= p);
        let dwell = at.checked_sub(1).and_then(|i| self.dwells.get(i)).filter(|d| p < d.right());
        let stop = dwell.and_then(|d| d.stops.get(((p - d.left) / d.part.max(1)) as usize));
        stop.copied().unwrap_or_else(|| trace.count_until(Micros(self.virtual_at(p))))
    }

    /// Presentation time at which the first `count` effects are shown, the last of them at virtual time `t`.
    pub fn shows(&self, count: u32, t: u64) -> u64 {
        let from = self.dwells.partition_point(|d| d.t < t);
        let mut here = self.dwells[from..].iter().take_while(|d| d.t == t);
        let part = here.find_map(|d| {
            let i = d.stops.iter().position(|stop| *stop >= count)?;
            Some(d.left + d.part * i as u64)
        });
        part.unwrap_or_else(|| self.presented_at(t))
    }
}

/// x·to/from without overflow; 0 if `from` is.
fn scaled(x: u64, from: u64, to: u64) -> u64 {
    (u128::from(x) * u128::from(to)).checked_div(u128::from(from)).unwrap_or(0) as u64
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

    fn film(preset: &str, part: usize) -> (Warp, Trace) {
        let scenario = Scenario::preset(preset).expect("a preset");
        let mut run = Timelines::open_headless(scenario, vec![]).expect("opens");
        run.run(BranchId(0), Until::End, u32::MAX);
        let trace = run.trace(BranchId(0)).clone();
        let mut warp = Warp::default();
        warp.extend(&trace.effects()[..trace.effects().len() * part / 100]);
        (warp, trace)
    }

    /// S11: W never falls, W undoes P on both sides of a dwell, and the shown effects never become fewer.
    #[test]
    fn film_time_never_goes_back() {
        for preset in ["day4", "one-liar", "bad-ciphertext"] {
            let (warp, trace) = film(preset, 100);
            let (mut last, mut count) = (0, 0);
            for p in (0..warp.length() + 2_000_000).step_by(10_007) {
                let t = warp.virtual_at(p);
                assert!(t >= last, "{preset} at {p}");
                last = t;
                let shown = warp.count_at(p, &trace);
                assert!(shown >= count, "{preset} at {p}: {shown} effects after {count}");
                count = shown;
            }
            for e in trace.effects().iter().filter(|e| e.t.0 <= warp.last_knot()) {
                let (left, right) = (warp.begins_at(e.t.0), warp.presented_at(e.t.0));
                assert!(left <= right, "{preset} e{}", e.id.0);
                // Rounded down to a whole µs of the film, it is between this µs and the next.
                for p in [left, right] {
                    let (before, after) = (warp.virtual_at(p), warp.virtual_at(p + 1));
                    assert!(before <= e.t.0 && e.t.0 <= after, "{preset}: {} is not in {before}..{after}", e.t.0);
                }
            }
            for knot in &warp.knots {
                assert_eq!((warp.virtual_at(knot.left), warp.virtual_at(knot.right)), (knot.t, knot.t));
                assert_eq!((warp.begins_at(knot.t), warp.presented_at(knot.t)), (knot.left, knot.right));
            }
        }
    }

    /// What a dwell shows is where its steps are: signcryption in six parts of 250 ms, and virtual time stands still.
    #[test]
    fn computations_are_shown_step_by_step() {
        let (warp, trace) = film("day4", 100);
        let parts: Vec<(u64, usize)> = warp.dwells.iter().map(|d| (d.part, d.stops.len())).collect();
        assert!(parts.contains(&(250_000, 6)), "signcryption: {parts:?}");
        assert!(parts.contains(&(300_000, 4)), "unsigncryption: {parts:?}");
        assert!(parts.contains(&(600_000, 1)), "Merkle root: {parts:?}");
        assert!(parts.iter().filter(|p| **p == (300_000, 2)).count() == 4, "acceptance by each role: {parts:?}");
        for d in &warp.dwells {
            for (i, stop) in d.stops.iter().enumerate() {
                let p = d.left + d.part * i as u64;
                assert_eq!((warp.virtual_at(p), warp.count_at(p, &trace)), (d.t, *stop));
                assert_eq!(warp.shows(*stop, d.t), p);
                let shown = &trace.effects()[*stop as usize - 1];
                use FactKind as F;
                let facts = matches!(
                    shown.kind,
                    Kind::Fact(F::Step { .. } | F::Located { .. } | F::KeyAccepted { .. } | F::Opened { .. })
                );
                assert!(facts && shown.t.0 == d.t, "e{}", shown.id.0);
            }
        }
    }

    /// S5: what comes later changes the film only after its last knot.
    #[test]
    fn appending_leaves_the_film_before_its_last_knot() {
        let (whole, _) = film("one-liar", 100);
        for part in [20, 40, 60, 80] {
            let (some, trace) = film("one-liar", part);
            for e in trace.effects().iter().filter(|e| e.t.0 < some.last_knot()) {
                assert_eq!(some.presented_at(e.t.0), whole.presented_at(e.t.0), "{part} %: {}", e.t.0);
            }
            assert_eq!(some.begins_at(some.last_knot()), whole.begins_at(some.last_knot()), "{part} %");
        }
    }
}
