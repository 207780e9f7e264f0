//! Links: how long a message takes, whether it is lost, doubled or altered (CONSENSUS.md §4.3).
//!
//! Every message draws exactly four u32 of its own link's stream, whatever the settings, so that changing one knob or
//! one node leaves the luck of all other links as it was. Deciding is all this does: it neither holds messages nor
//! looks into them.

mod rule;

pub use rule::{LinkRule, RuleArgs};

use crate::entities::actor::{ActorId, Role};
use crate::ledger::Micros;
use crate::sim::quantiles::{EXPONENTIAL, LONG_TAIL};
use crate::sim::streams::{Label, Streams};
use crate::sim::trace::{DropReason, PacketTag};
use crate::sim::units::{Dur, Ratio};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Latency of the charging cable between a pile and the car plugged into it.
pub const CABLE: Dur = Dur::ms(1);

/// How long a message takes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Latency {
    Const(Dur),
    /// Uniform from the first to the second, both included.
    Uniform(Dur, Dur),
    /// Exponential with this mean.
    Exponential(Dur),
    /// Infinite variance, with this median.
    LongTail(Dur),
    /// 256 quantiles in µs, interpolated linearly.
    Table(Vec<u32>),
}

impl Latency {
    /// The quantile at `draw / 2^32`, in µs.
    pub fn at(&self, draw: u32) -> u64 {
        match self {
            Latency::Const(d) => d.0,
            Latency::Uniform(lo, hi) => lo.0 + scaled(hi.0.saturating_sub(lo.0) + 1, draw),
            Latency::Exponential(mean) => quantile(&EXPONENTIAL, draw, mean.0),
            Latency::LongTail(median) => quantile(&LONG_TAIL, draw, median.0),
            Latency::Table(table) => quantile(table, draw, 1_000),
        }
    }
}

/// `range · draw / 2^32`.
fn scaled(range: u64, draw: u32) -> u64 {
    ((u128::from(range) * u128::from(draw)) >> 32) as u64
}

fn quantile(table: &[u32], draw: u32, scale: u64) -> u64 {
    let (cell, inside) = ((draw >> 24) as usize, u64::from(draw & 0x00ff_ffff));
    let Some(&low) = table.get(cell) else { return 0 };
    let high = table.get(cell + 1).copied().unwrap_or(low).max(low);
    let thousandths = (u64::from(low) << 24) + u64::from(high - low) * inside;
    ((u128::from(thousandths) * u128::from(scale) / 1_000) >> 24) as u64
}

/// The network of a scenario.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    pub latency: Latency,
    /// Share of messages lost.
    pub loss: Ratio,
    /// Share of messages that arrive twice, the copy with its own latency.
    pub duplicate: Ratio,
    /// Share of messages that take `reorder_by` longer.
    pub reorder: Ratio,
    pub reorder_by: Dur,
    /// Bytes per ms that each direction of a link carries; absent: any number at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<u32>,
    /// Most messages on the way in each direction of a link; one more pushes the oldest out. Absent: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u32>,
    /// From here on links between correct actors keep `delta`, lose nothing and obey no rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gst: Option<Dur>,
    pub delta: Dur,
}

impl Default for Network {
    fn default() -> Self {
        Network {
            latency: Latency::Uniform(Dur::ms(8), Dur::ms(30)),
            loss: Ratio::ZERO,
            duplicate: Ratio::ZERO,
            reorder: Ratio::ZERO,
            reorder_by: Dur::ms(20),
            bandwidth: None,
            in_flight: None,
            gst: None,
            delta: Dur::ms(50),
        }
    }
}

/// One message about to enter a link.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    pub now: Micros,
    pub from: ActorId,
    pub to: ActorId,
    pub tag: PacketTag,
    /// Length of the packet's body in bytes.
    pub body: u32,
    /// Neither end has ever been Byzantine.
    pub correct: bool,
}

/// What a link does with one message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Dropped(DropReason),
    /// Kept until somebody releases it; it then takes this long.
    Held {
        delay: u64,
    },
    Carried {
        /// µs on the way, faults included.
        delay: u64,
        /// The part of it that a rule added.
        added: u64,
        /// µs on the way of a second copy.
        copy: Option<u64>,
        /// Byte and bit of the body to flip.
        flip: Option<(u32, u8)>,
    },
}

/// All links of a run and the rules in force.
#[derive(Clone, Debug)]
pub struct Links {
    streams: Streams,
    /// Stream of each directed link, as far as its messages have drawn from it.
    luck: BTreeMap<(u32, u32), ChaCha8Rng>,
    rules: Vec<LinkRule>,
    /// When the last byte of each directed link's queue will have left, with limited bandwidth.
    free_at: BTreeMap<(u32, u32), u64>,
}

impl Links {
    pub fn new(streams: Streams) -> Self {
        Links { streams, luck: BTreeMap::new(), rules: Vec::new(), free_at: BTreeMap::new() }
    }

    /// Adds a rule that holds from now on.
    pub fn add(&mut self, rule: LinkRule) {
        self.rules.push(rule);
    }

    fn draws(&mut self, from: ActorId, to: ActorId) -> [u32; 4] {
        let link = (from.code(), to.code());
        let streams = self.streams;
        let rng = self.luck.entry(link).or_insert_with(|| streams.get(Label::Net, link.0, link.1));
        [rng.next_u32(), rng.next_u32(), rng.next_u32(), rng.next_u32()]
    }

    /// µs until a message has left its end of the link, behind those that wait there already.
    fn queue_up(&mut self, network: &Network, message: Passage) -> u64 {
        let Some(rate) = network.bandwidth else { return 0 };
        let takes = (u64::from(message.body) + 1) * 1_000 / u64::from(rate.max(1));
        let free = self.free_at.entry((message.from.code(), message.to.code())).or_default();
        *free = message.now.0.max(*free) + takes;
        *free - message.now.0
    }

    /// Decides what happens to a message; cables between a pile and a car are short and lose nothing.
    pub fn fate(&mut self, network: &Network, message: Passage) -> Fate {
        let Passage { now, from, to, tag, .. } = message;
        if matches!((from.role, to.role), (Role::Cp, Role::Ev) | (Role::Ev, Role::Cp)) {
            return Fate::Carried { delay: CABLE.0, added: 0, copy: None, flip: self.flip(message, [0; 4]) };
        }
        let draws = self.draws(from, to);
        let mut delay = network.latency.at(draws[0]);
        if network.gst.is_some_and(|gst| now >= gst.micros()) && message.correct {
            return Fate::Carried { delay: delay.min(network.delta.0), added: 0, copy: None, flip: None };
        }
        if network.reorder.hit(draws[3]) {
            delay += network.reorder_by.0;
        }
        let (mut added, mut loss, mut blocked, mut held) = (0, network.loss, false, false);
        for rule in self.rules.iter().filter(|r| r.args().in_force(now) && r.args().covers(from, to, tag)) {
            match rule {
                LinkRule::Block(_) => blocked = true,
                LinkRule::Hold(_) => held = true,
                LinkRule::Delay(a) => added += a.by.unwrap_or_default().0,
                LinkRule::Loss(a) => loss = a.ratio.unwrap_or(loss),
                LinkRule::Corrupt(_) => {}
            }
        }
        if blocked {
            return Fate::Dropped(DropReason::Blocked);
        }
        if loss.hit(draws[1]) {
            return Fate::Dropped(DropReason::Loss);
        }
        delay += self.queue_up(network, message);
        if held {
            return Fate::Held { delay: delay + added };
        }
        // The copy's latency must not cost a fifth draw, so it is taken from the bits that decided on the copy.
        let copy =
            network.duplicate.hit(draws[2]).then(|| network.latency.at(draws[2].wrapping_mul(0x9E37_79B9)) + added);
        Fate::Carried { delay: delay + added, added, copy, flip: self.flip(message, draws) }
    }

    fn flip(&self, message: Passage, draws: [u32; 4]) -> Option<(u32, u8)> {
        let Passage { now, from, to, tag, body, .. } = message;
        let spoils = |rule: &&LinkRule| {
            let a = rule.args();
            matches!(rule, LinkRule::Corrupt(_)) && a.in_force(now) && a.covers(from, to, tag)
        };
        let rule = self.rules.iter().rev().find(spoils)?;
        let mixed = draws.iter().fold(0u32, |acc, d| acc.rotate_left(7) ^ d.wrapping_mul(0x85EB_CA6B));
        let byte = rule.args().byte.unwrap_or(scaled(u64::from(body), mixed) as u32);
        Some((byte, rule.args().bit.unwrap_or((mixed & 7) as u8)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::units::{Many, PacketName, Pattern};

    const CSS1: ActorId = ActorId::new(Role::Css, 0);
    const CSS2: ActorId = ActorId::new(Role::Css, 1);

    fn passage(now: u64, from: ActorId, to: ActorId) -> Passage {
        Passage { now: Micros(now), from, to, tag: PacketTag::Prepare, body: 200, correct: true }
    }

    fn delays(network: &Network, count: u32) -> Vec<u64> {
        let mut links = Links::new(Streams::new(7));
        let delay = |fate| match fate {
            Fate::Carried { delay, .. } => delay,
            _ => u64::MAX,
        };
        (0..count).map(|_| delay(links.fate(network, passage(0, CSS1, CSS2)))).collect()
    }

    #[test]
    fn latency_keeps_its_bounds() {
        let network = Network::default();
        let all = delays(&network, 2_000);
        assert!(all.iter().all(|d| (8_000..=30_000).contains(d)));
        assert!(all.iter().any(|d| *d < 8_200) && all.iter().any(|d| *d > 29_800));
        let exponential = Network { latency: Latency::Exponential(Dur::ms(10)), ..Network::default() };
        let mean = delays(&exponential, 20_000).iter().sum::<u64>() / 20_000;
        assert!((9_700..10_300).contains(&mean), "{mean}");
    }

    #[test]
    fn a_knob_or_another_link_leaves_the_luck_of_a_link_alone() {
        let base = delays(&Network::default(), 50);
        let doubled = Network { duplicate: Ratio { num: 1, den: 2 }, ..Network::default() };
        assert_eq!(base, delays(&doubled, 50));
        let lossy = Network { loss: Ratio { num: 1, den: 2 }, ..Network::default() };
        let kept: Vec<_> = delays(&lossy, 50).into_iter().zip(&base).filter(|(d, _)| *d != u64::MAX).collect();
        assert!(kept.len() < 50 && kept.iter().all(|(d, b)| d == *b));
        let mut links = Links::new(Streams::new(7));
        let mut again = Vec::new();
        for _ in 0..50 {
            links.fate(&Network::default(), passage(0, CSS2, CSS1));
            if let Fate::Carried { delay, .. } = links.fate(&Network::default(), passage(0, CSS1, CSS2)) {
                again.push(delay);
            }
        }
        assert_eq!(base, again);
    }

    #[test]
    fn rules_hold_for_their_messages_and_their_time() {
        let mut links = Links::new(Streams::new(7));
        let one = |p| Many(vec![Pattern::one(p)]);
        let until = Some(Dur::ms(5));
        links.add(LinkRule::Block(RuleArgs { from: one(CSS1), until, ..RuleArgs::default() }));
        let network = Network::default();
        assert_eq!(links.fate(&network, passage(0, CSS1, CSS2)), Fate::Dropped(DropReason::Blocked));
        assert!(matches!(links.fate(&network, passage(0, CSS2, CSS1)), Fate::Carried { .. }));
        assert!(matches!(links.fate(&network, passage(5_000, CSS1, CSS2)), Fate::Carried { .. }));
        let packet = Many(vec![PacketName::parse("pbft").unwrap()]);
        let corrupt = RuleArgs { packet, byte: Some(420), bit: Some(0), ..RuleArgs::default() };
        links.add(LinkRule::Corrupt(corrupt));
        let fate = links.fate(&network, passage(9_000, CSS1, CSS2));
        assert!(matches!(fate, Fate::Carried { flip: Some((420, 0)), .. }), "{fate:?}");
        let gst = Network { gst: Some(Dur::ms(9)), ..network };
        let fate = links.fate(&gst, passage(9_000, CSS1, CSS2));
        assert!(matches!(fate, Fate::Carried { flip: None, .. }), "{fate:?}");
    }

    #[test]
    fn a_flapping_link_is_down_every_other_time_and_a_partition_is_down_both_ways() {
        let mut links = Links::new(Streams::new(7));
        let one = |p| Many(vec![Pattern::one(p)]);
        let flap = Some(Dur::ms(5));
        links.add(LinkRule::Block(RuleArgs {
            from: one(CSS1),
            to: one(CSS2),
            both: true,
            flap,
            ..RuleArgs::default()
        }));
        let network = Network::default();
        let mut down = |at, from, to| matches!(links.fate(&network, passage(at, from, to)), Fate::Dropped(_));
        assert!(down(0, CSS1, CSS2) && down(4_999, CSS2, CSS1));
        assert!(!down(5_000, CSS1, CSS2) && !down(9_999, CSS2, CSS1));
        assert!(down(10_000, CSS1, CSS2));
        assert!(!down(0, CSS1, ActorId::new(Role::Css, 2)));
    }

    #[test]
    fn messages_queue_where_bandwidth_is_short() {
        let network = Network { latency: Latency::Const(Dur::ms(1)), bandwidth: Some(201), ..Network::default() };
        // A message of 201 bytes takes one ms to leave; each waits for those before it, other links do not.
        assert_eq!(delays(&network, 3), [2_000, 3_000, 4_000]);
        let mut links = Links::new(Streams::new(7));
        let mut delay = |at, from, to| match links.fate(&network, passage(at, from, to)) {
            Fate::Carried { delay, .. } => delay,
            _ => u64::MAX,
        };
        assert_eq!((delay(0, CSS1, CSS2), delay(0, CSS2, CSS1), delay(5_000, CSS1, CSS2)), (2_000, 2_000, 2_000));
    }

    #[test]
    fn a_long_tail_has_its_median_and_a_tail() {
        let mut all = delays(&Network { latency: Latency::LongTail(Dur::ms(10)), ..Network::default() }, 4_001);
        all.sort_unstable();
        assert!((9_000..11_000).contains(&all[2_000]), "{}", all[2_000]);
        assert!(all[4_000] > 20 * all[2_000], "{}", all[4_000]);
        let table = (0..256).map(|k| k * 100).collect();
        let all = delays(&Network { latency: Latency::Table(table), ..Network::default() }, 2_000);
        assert!(all.iter().all(|d| *d <= 25_500) && all.iter().any(|d| *d > 20_000));
    }

    #[test]
    fn every_message_draws_four_numbers_whatever_the_settings() {
        let ratio = Ratio { num: 1, den: 2 };
        let busy = Network { loss: ratio, duplicate: ratio, reorder: ratio, bandwidth: Some(9), ..Network::default() };
        let mut links = Links::new(Streams::new(7));
        for k in 0..100 {
            links.fate(&busy, passage(k, CSS1, CSS2));
        }
        let Fate::Carried { delay, .. } = links.fate(&Network::default(), passage(0, CSS1, CSS2)) else { panic!() };
        let draw = Streams::new(7).get(Label::Net, CSS1.code(), CSS2.code());
        let mut draw = draw;
        draw.set_word_pos(400);
        assert_eq!(delay, Network::default().latency.at(draw.next_u32()));
    }

    #[test]
    fn a_rule_says_what_it_lacks() {
        assert!(LinkRule::Delay(RuleArgs::default()).check().is_err());
        assert!(LinkRule::Block(RuleArgs { byte: Some(1), ..RuleArgs::default() }).check().is_err());
        assert!(LinkRule::Corrupt(RuleArgs { bit: Some(8), ..RuleArgs::default() }).check().is_err());
        assert!(LinkRule::Hold(RuleArgs::default()).check().is_ok());
        let flap = Some(Dur(1));
        assert!(
            LinkRule::Block(RuleArgs { flap, ..RuleArgs::default() }).check().unwrap_err().contains("at least 1ms")
        );
        let by = Some(Dur::secs(3_601));
        assert!(LinkRule::Delay(RuleArgs { by, ..RuleArgs::default() }).check().unwrap_err().contains("at most 1h"));
    }
}
