//! When a Byzantine behaviour strikes (CONSENSUS.md §5.1).

use crate::ledger::Micros;
use crate::sim::trace::PacketInfo;
use crate::sim::units::{Dur, PacketName, Ratio};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use serde::{Deserialize, Serialize};

/// A condition on one message of the node, or on the moment.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    Never,
    #[default]
    Always,
    /// The message belongs to one of these views.
    Views(Vec<u64>),
    /// The message belongs to one of these slots.
    Seqs(Vec<u64>),
    /// From the first time on, before the second.
    Time(Dur, Dur),
    Chance(Ratio),
    /// The first k times that it is asked.
    First(u32),
    /// The message is one of these.
    Kinds(Vec<PacketName>),
    And(Vec<Trigger>),
    Or(Vec<Trigger>),
    Not(Box<Trigger>),
}

/// How deep conditions may nest, and how many parts one may have: they come from files and links.
const MAX_DEPTH: u32 = 4;
const MAX_PARTS: usize = 64;

impl Trigger {
    /// One sentence on what is wrong with it, if anything.
    pub fn check(&self) -> Result<(), String> {
        self.check_depth(MAX_DEPTH)
    }

    fn check_depth(&self, left: u32) -> Result<(), String> {
        let parts = match self {
            Trigger::And(parts) | Trigger::Or(parts) => parts.as_slice(),
            Trigger::Not(part) => core::slice::from_ref(part.as_ref()),
            Trigger::Views(list) | Trigger::Seqs(list) if list.len() > MAX_PARTS => {
                return Err(format!("a condition may list at most {MAX_PARTS} numbers"));
            }
            _ => return Ok(()),
        };
        if left == 0 || parts.len() > MAX_PARTS {
            return Err(format!("conditions may nest {MAX_DEPTH} deep and have {MAX_PARTS} parts"));
        }
        parts.iter().try_for_each(|part| part.check_depth(left - 1))
    }

    /// Whether it strikes now; `asked` counts how often this was asked before.
    pub fn strikes(&self, now: Micros, packet: Option<&PacketInfo>, asked: u32, rng: &mut ChaCha8Rng) -> bool {
        let slot = packet.and_then(|p| p.slot);
        match self {
            Trigger::Never => false,
            Trigger::Always => true,
            Trigger::Views(views) => slot.is_some_and(|(view, _)| views.contains(&view)),
            Trigger::Seqs(seqs) => slot.is_some_and(|(_, seq)| seqs.contains(&seq)),
            Trigger::Time(from, to) => (from.micros()..to.micros()).contains(&now),
            Trigger::Chance(ratio) => ratio.hit(rng.next_u32()),
            Trigger::First(k) => asked < *k,
            Trigger::Kinds(names) => packet.is_some_and(|p| names.iter().any(|name| name.matches(p.tag))),
            Trigger::And(parts) => parts.iter().all(|part| part.strikes(now, packet, asked, rng)),
            Trigger::Or(parts) => parts.iter().any(|part| part.strikes(now, packet, asked, rng)),
            Trigger::Not(part) => !part.strikes(now, packet, asked, rng),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::trace::{ItemId, PacketTag};
    use rand_core::SeedableRng;

    #[test]
    fn conditions_look_at_slot_kind_time_and_count() {
        let mut rng = ChaCha8Rng::from_seed([0; 32]);
        let prepare = PacketInfo { item: ItemId(0), tag: PacketTag::Prepare, size: 1, sigma: None, slot: Some((2, 5)) };
        let mut ask = |t: &Trigger, asked| t.strikes(Micros(1_500_000), Some(&prepare), asked, &mut rng);
        assert!(ask(&Trigger::Views(vec![1, 2]), 0) && !ask(&Trigger::Views(vec![0]), 0));
        assert!(ask(&Trigger::Seqs(vec![5]), 0));
        assert!(ask(&Trigger::Time(Dur::secs(1), Dur::secs(2)), 0));
        assert!(!ask(&Trigger::Time(Dur::secs(2), Dur::secs(3)), 0));
        assert!(ask(&Trigger::First(3), 2) && !ask(&Trigger::First(3), 3));
        let pbft = Trigger::Kinds(vec![PacketName::parse("pbft").unwrap()]);
        assert!(ask(&pbft, 0) && !ask(&Trigger::Not(Box::new(pbft.clone())), 0));
        assert!(!ask(&Trigger::And(vec![pbft, Trigger::Never]), 0));
    }

    #[test]
    fn deep_nests_are_refused() {
        let deep = (0..9).fold(Trigger::Always, |inner, _| Trigger::Not(Box::new(inner)));
        assert!(deep.check().is_err());
        assert!(Trigger::Or(vec![Trigger::Always; 65]).check().is_err());
    }
}
