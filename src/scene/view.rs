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

    /// Messages on their way at presentation time `p`, each with the part of its path behind it (0..1).
    pub fn at<'a>(&'a self, warp: &'a Warp, p: u64) -> impl Iterator<Item = (&'a Flight, f32)> {
        let t = warp.virtual_at(p);
        let end = self.all.partition_point(|f| f.sent_us <= t);
        self.all[..end].iter().filter_map(move |f| {
            let until = f.end_us.filter(|end| *end >= t)?;
            let (a, b) = (warp.presented_at(f.sent_us), warp.presented_at(until));
            let part = if b > a { (p.clamp(a, b) - a) as f32 / (b - a) as f32 } else { 1.0 };
            Some((f, part))
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

    /// S3: at every moment a message is drawn exactly if it was sent and has not arrived.
    #[test]
    fn what_flies_was_sent_and_has_not_arrived() {
        let mut run = Timelines::open_headless(Scenario::preset("one-liar").expect("a preset"), vec![]).expect("opens");
        run.run(BranchId(0), Until::End, u32::MAX);
        let effects = run.trace(BranchId(0)).effects();
        let (mut warp, mut flights) = (Warp::default(), Flights::default());
        warp.extend(effects);
        flights.extend(effects);
        let mut seen = 0;
        for p in (0..warp.length()).step_by(250_000) {
            let t = warp.virtual_at(p);
            let mut shown: Vec<u32> = flights.at(&warp, p).map(|(f, _)| f.id).collect();
            let ended = |id: u32| {
                effects.iter().find(|e| {
                    e.cause.is_some_and(|c| c.0 == id)
                        && matches!(e.kind, Kind::Delivered { .. } | Kind::Dropped { .. })
                })
            };
            let sent =
                effects.iter().filter(|e| e.t.0 <= t && matches!(e.kind, Kind::Sent { .. } | Kind::Duplicated { .. }));
            let mut expected: Vec<u32> =
                sent.filter(|e| ended(e.id.0).is_some_and(|end| end.t.0 >= t)).map(|e| e.id.0).collect();
            shown.sort_unstable();
            expected.sort_unstable();
            assert_eq!(shown, expected, "at {p}");
            assert!(flights.at(&warp, p).all(|(_, part)| (0.0..=1.0).contains(&part)));
            seen += shown.len();
        }
        assert!(seen > 20, "only {seen} messages seen");
    }
}
