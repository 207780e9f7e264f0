//! Messages on their way at a moment: each is one `Sent` with its end (PAGE.md §2.4, §3.1).

use super::warp::Warp;
use crate::entities::actor::{ActorId, Role};
use crate::sim::trace::{Effect, Kind, PacketInfo, PacketTag};
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

/// Flights per block of the index.
const BLOCK: usize = 256;

/// All messages of a trace, found by the time they are on their way: in blocks in the order of sending, each with the
/// latest end in it, so that a moment of a long run touches only the blocks that reach it (PAGE.md §2.3).
#[derive(Clone, Debug, Default)]
pub struct Flights {
    all: Vec<Flight>,
    by_id: BTreeMap<u32, usize>,
    /// Latest known end per block.
    latest: Vec<u64>,
}

impl Flights {
    /// Appends effects.
    pub fn extend(&mut self, effects: &[Effect]) {
        for effect in effects {
            match (&effect.kind, effect.actor, effect.cause) {
                (Kind::Sent { to, packet } | Kind::Duplicated { to, packet }, Some(from), _) => {
                    self.by_id.insert(effect.id.0, self.all.len());
                    self.latest.resize(self.all.len() / BLOCK + 1, 0);
                    let (id, sent_us) = (effect.id.0, effect.t.0);
                    self.all.push(Flight { id, from, to: *to, packet: *packet, sent_us, end_us: None, lost: false });
                }
                (Kind::Delivered { .. } | Kind::Dropped { .. }, _, Some(cause)) => {
                    let at = self.by_id.get(&cause.0).copied();
                    if let Some((at, flight)) = at.and_then(|at| Some((at, self.all.get_mut(at)?))) {
                        flight.end_us = Some(effect.t.0);
                        flight.lost = matches!(effect.kind, Kind::Dropped { .. });
                        self.latest[at / BLOCK] = self.latest[at / BLOCK].max(effect.t.0);
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

    /// Those sent by `now` that may not have ended by `since`.
    fn between(&self, since: u64, now: u64) -> impl Iterator<Item = &Flight> {
        let end = self.all.partition_point(|f| f.sent_us <= now);
        let blocks = self.all[..end].chunks(BLOCK).zip(&self.latest);
        blocks.filter(move |(_, latest)| **latest >= since).flat_map(|(block, _)| block)
    }

    /// Messages on their way at presentation time `p`.
    pub fn at<'a>(&'a self, warp: &'a Warp, p: u64) -> impl Iterator<Item = Seen<'a>> {
        let (now, before) = (warp.virtual_at(p), warp.virtual_at(p.saturating_sub(STILL)));
        self.between(before, now).filter_map(move |flight| {
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
        self.between(t, t).filter_map(move |flight| {
            let end = flight.end_us.filter(|end| *end >= t && *end > flight.sent_us)?;
            let part = (t - flight.sent_us) as f32 / (end - flight.sent_us) as f32;
            Some(Seen { flight, part, still: false })
        })
    }
}

/// Messages in flight above which those between gateways are drawn as ribbons.
pub const CROWD: usize = 1_500;
/// Parts of the ring that ribbons run between.
const SECTORS: u16 = 12;

/// Messages of one kind from one part of the ring to another, drawn as one. Parts of the ring and of the way: 0..1.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ribbon {
    pub tag: PacketTag,
    pub from: f32,
    pub to: f32,
    pub count: u32,
    /// Part of the way behind the last and the first of them.
    pub tail: f32,
    pub head: f32,
}

/// Splits a picture of `n` gateways into what is drawn one by one and what is drawn as ribbons. Lost messages and those
/// of others than gateways are always drawn one by one.
pub fn ribbons(shown: Vec<Seen<'_>>, n: u16) -> (Vec<Seen<'_>>, Vec<Ribbon>) {
    if shown.len() <= CROWD {
        return (shown, Vec::new());
    }
    let sector = |id: ActorId| (id.role == Role::Css && n > 0).then(|| id.index * SECTORS / n);
    let middle = |sector: u16| (f32::from(sector) + 0.5) / f32::from(SECTORS);
    let mut many: BTreeMap<(u16, u16, PacketTag), Ribbon> = BTreeMap::new();
    let mut single = Vec::new();
    for seen in shown {
        let flight = seen.flight;
        let (Some(from), Some(to), false) = (sector(flight.from), sector(flight.to), flight.lost) else {
            single.push(seen);
            continue;
        };
        let tag = flight.packet.tag;
        let new = Ribbon { tag, from: middle(from), to: middle(to), count: 0, tail: 1.0, head: 0.0 };
        let ribbon = many.entry((from, to, tag)).or_insert(new);
        ribbon.count += 1;
        (ribbon.tail, ribbon.head) = (ribbon.tail.min(seen.part), ribbon.head.max(seen.part));
    }
    (single, many.into_values().collect())
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

    /// In a crowd nothing is left out: every message is drawn by itself or is one of a ribbon between its sectors.
    #[test]
    fn ribbons_hold_all_messages_between_gateways() {
        let scenario = Scenario::preset("thirty-one").expect("a preset").with_n(64).expect("64 gateways");
        let mut run = Timelines::open_headless(scenario, vec![]).expect("opens");
        run.run(BranchId(0), Until::Time(crate::ledger::Micros(3_000_000)), u32::MAX);
        let effects = run.trace(BranchId(0)).effects();
        let (mut warp, mut flights) = (Warp::default(), Flights::default());
        warp.extend(effects);
        flights.extend(effects);
        let mut crowds = 0;
        for p in (0..warp.length()).step_by(100_000) {
            let shown: Vec<Seen<'_>> = flights.at(&warp, p).collect();
            let (single, many) = ribbons(shown.clone(), 64);
            let drawn = single.len() + many.iter().map(|r| r.count as usize).sum::<usize>();
            assert_eq!(drawn, shown.len(), "at {p}");
            if many.is_empty() {
                continue;
            }
            crowds += 1;
            let own = |s: &&Seen<'_>| s.flight.lost || s.flight.from.role != Role::Css || s.flight.to.role != Role::Css;
            assert_eq!(single.len(), shown.iter().filter(own).count());
            assert!(many.len() <= usize::from(SECTORS * SECTORS) * 8, "{} ribbons", many.len());
            assert!(
                many.iter().all(|r| r.tail <= r.head && (0.0..1.0).contains(&r.from) && (0.0..1.0).contains(&r.to))
            );
        }
        assert!(crowds > 2, "{crowds} crowded moments");
    }
}
