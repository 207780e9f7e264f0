//! Messages on their way at a moment: each is one `Sent` with its end (PAGE.md §2.4, §3.1).

use super::warp::Warp;
use crate::entities::actor::ActorId;
use crate::sim::trace::{Effect, Kind, PacketInfo};
use std::collections::BTreeMap;

/// A message from its `Sent` to its arrival or loss.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Flight {
    /// Id of the `Sent` effect.
    pub id: u32,
    pub from: ActorId,
    pub to: ActorId,
    pub packet: PacketInfo,
    pub sent_us: u64,
    /// `None` while no end is known.
    pub end_us: Option<u64>,
    pub lost: bool,
}

/// A message in the picture of a moment.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub flight: &'a Flight,
    /// Part of its path behind it (0..1).
    pub part: f32,
    /// Too quick to be seen moving: an arrow is shown for a moment instead.
    pub still: bool,
}

/// A flight shorter than this in presentation µs is an arrow for this long.
pub const STILL: u64 = 120_000;

/// All messages of a trace, found by the time they are on their way.
#[derive(Clone, Debug, Default)]
pub struct Flights {
    all: Vec<Flight>,
    by_id: BTreeMap<u32, usize>,
}

impl Flights {
    /// Appends effects.
    pub fn extend(&mut self, effects: &[Effect]) {
        for effect in effects {
            match (&effect.kind, effect.actor, effect.cause) {
                (Kind::Sent { to, packet } | Kind::Duplicated { to, packet }, Some(from), _) => {
                    self.by_id.insert(effect.id.0, self.all.len());
                    let (id, sent_us) = (effect.id.0, effect.t.0);
                    self.all.push(Flight { id, from, to: *to, packet: *packet, sent_us, end_us: None, lost: false });
                }
                (Kind::Delivered { .. } | Kind::Dropped { .. }, _, Some(cause)) => {
                    if let Some(flight) = self.by_id.get(&cause.0).and_then(|at| self.all.get_mut(*at)) {
                        flight.end_us = Some(effect.t.0);
                        flight.lost = matches!(effect.kind, Kind::Dropped { .. });
                    }
                }
                _ => {}
            }
        }
    }

    /// Virtual time at which the message sent by effect `id` arrives or is lost.
    pub fn end_of(&self, id: u32) -> Option<u64> {
        self.all.get(*self.by_id.get(&id)?)?.end_us
    }

    /// Messages on their way at presentation time `p`.
    pub fn at<'a>(&'a self, warp: &'a Warp, p: u64) -> impl Iterator<Item = Seen<'a>> {
        let (now, before) = (warp.virtual_at(p), warp.virtual_at(p.saturating_sub(STILL)));
        let end = self.all.partition_point(|f| f.sent_us <= now);
        self.all[..end].iter().filter_map(move |flight| {
            let arrival = flight.end_us.filter(|end| *end >= before)?;
            let (a, b) = (warp.presented_at(flight.sent_us), warp.begins_at(arrival));
            let still = b.saturating_sub(a) < STILL;
            if p < a || p > if still { a + STILL } else { b } {
                return None;
            }
            let part = if still { 1.0 } else { (p - a) as f32 / (b - a) as f32 };
            Some(Seen { flight, part, still })
        })
    }

    /// Messages on their way at virtual time `t`, drawn linearly in virtual time: another future at the same moment.
    pub fn at_virtual(&self, t: u64) -> impl Iterator<Item = Seen<'_>> {
        let end = self.all.partition_point(|f| f.sent_us <= t);
        self.all[..end].iter().filter_map(move |flight| {
            let end = flight.end_us.filter(|end| *end >= t && *end > flight.sent_us)?;
            let part = (t - flight.sent_us) as f32 / (end - flight.sent_us) as f32;
            Some(Seen { flight, part, still: false })
        })
    }
}

/// Next or previous position (a count of effects) among `stops` (effect ids, ascending) seen from `count`.
pub fn step(stops: &[u32], count: u32, forward: bool) -> Option<u32> {
    if forward {
        stops.iter().find(|id| **id >= count).map(|id| id + 1)
    } else {
        stops.iter().rev().find(|id| **id + 1 < count).map(|id| id + 1)
    }
}

/// Effects that change the stage or send a message over it: what an event step stops at.
pub fn visible(effect: &Effect) -> bool {
    !matches!(
        &effect.kind,
        Kind::Persisted { .. } | Kind::TimerSet { .. } | Kind::TimerFired { .. } | Kind::Delivered { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::scenario::Scenario;
    use crate::sim::timelines::{BranchId, Timelines, Until};

    /// S3: what is drawn was sent and has not arrived at that moment, arrows for their short while; and the other way
    /// round, what is under way for long enough is drawn.
    #[test]
    fn what_flies_was_sent_and_has_not_arrived() {
        let mut run = Timelines::open_headless(Scenario::preset("one-liar").expect("a preset"), vec![]).expect("opens");
        run.run(BranchId(0), Until::End, u32::MAX);
        let effects = run.trace(BranchId(0)).effects();
        let (mut warp, mut flights) = (Warp::default(), Flights::default());
        warp.extend(effects);
        flights.extend(effects);
        let ended = |id: u32| {
            effects.iter().find(|e| {
                e.cause.is_some_and(|c| c.0 == id) && matches!(e.kind, Kind::Delivered { .. } | Kind::Dropped { .. })
            })
        };
        let (mut moving, mut still) = (0, 0);
        for p in (0..warp.length()).step_by(50_000) {
            let t = warp.virtual_at(p);
            let shown: Vec<Seen<'_>> = flights.at(&warp, p).collect();
            for seen in &shown {
                let sent = &effects[seen.flight.id as usize];
                let end = ended(seen.flight.id).expect("it ends").t.0;
                assert!(matches!(sent.kind, Kind::Sent { .. } | Kind::Duplicated { .. }) && sent.t.0 <= t);
                assert!((0.0..=1.0).contains(&seen.part));
                assert!(t <= end || (seen.still && p <= warp.presented_at(sent.t.0) + STILL), "at {p}");
                if seen.still { still += 1 } else { moving += 1 }
            }
            let under_way = effects.iter().filter(|e| matches!(e.kind, Kind::Sent { .. }) && e.t.0 < t);
            for e in under_way.filter(|e| ended(e.id.0).is_some_and(|end| end.t.0 > t)) {
                assert!(
                    shown.iter().any(|s| s.flight.id == e.id.0) || {
                        // Only what is an arrow may be over before it arrives.
                        let end = ended(e.id.0).map_or(0, |end| end.t.0);
                        warp.begins_at(end) - warp.presented_at(e.t.0) < STILL
                    }
                );
            }
        }
        assert!(moving > 100 && still > 5, "{moving} moving, {still} still");
    }
}
