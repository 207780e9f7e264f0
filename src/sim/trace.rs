//! The trace: everything that happened, in order, with its causes, and the digest that certifies it (CONSENSUS.md §4.8).
//!
//! The world appends, the page mirrors; both compute the same digest chain. Nothing here decides anything.

mod effects;
mod packets;

use crate::ledger::{Digest, Micros};
pub use effects::{Effect, EffectId, Kind, Said};
pub use packets::{DropReason, ItemId, PacketInfo, PacketTag};
use sha2::{Digest as _, Sha512};

/// Steps per group of the digest chain.
pub const GROUP_STEPS: u64 = 256;

/// Append-only list of effects with its digest chain.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    effects: Vec<Effect>,
    /// `groups[k]`: index of the first effect of group k and h_k, the chain value before it.
    groups: Vec<(u32, Digest)>,
    /// Encoded effects of the open group.
    open: Vec<u8>,
}

/// An effect that does not continue the trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("effect {got} does not follow {expected}, or its step or time goes back")]
pub struct OutOfOrder {
    pub expected: u32,
    pub got: u32,
}

fn link(previous: Digest, group: &[u8]) -> Digest {
    let hash = Sha512::new().chain_update(b"voltcast/trace/1").chain_update(previous.0).chain_update(group).finalize();
    let mut out = [0; 32];
    out.copy_from_slice(&hash[..32]);
    Digest(out)
}

/// Bytes at the end of a buffer, piece by piece (postcard's own flavour for this copies byte by byte).
struct Appended(Vec<u8>);

impl postcard::ser_flavors::Flavor for Appended {
    type Output = Vec<u8>;

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        // Most are numbers of one byte.
        match data {
            [one] => self.0.push(*one),
            _ => self.0.extend_from_slice(data),
        }
        Ok(())
    }

    #[inline]
    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.push(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.0)
    }
}

fn encode(effect: &Effect, into: Vec<u8>) -> Vec<u8> {
    // Encoding plain data into memory has no failure case; an empty group would still be caught by every digest test.
    postcard::serialize_with_flavor(effect, Appended(into)).unwrap_or_default()
}

impl Trace {
    pub fn new() -> Self {
        Trace { effects: Vec::new(), groups: vec![(0, Digest::ZERO)], open: Vec::new() }
    }

    /// Appends the next effect. Ids are consecutive; steps and times never go back.
    pub fn push(&mut self, effect: Effect) -> Result<(), OutOfOrder> {
        let expected = self.effects.len() as u32;
        let behind = self.effects.last().is_some_and(|last| effect.step < last.step || effect.t < last.t);
        if effect.id.0 != expected || behind {
            return Err(OutOfOrder { expected, got: effect.id.0 });
        }
        while effect.step / GROUP_STEPS >= self.groups.len() as u64 {
            let h = link(self.groups[self.groups.len() - 1].1, &self.open);
            self.groups.push((expected, h));
            self.open.clear();
        }
        self.open = encode(&effect, core::mem::take(&mut self.open));
        self.effects.push(effect);
        Ok(())
    }

    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    pub fn get(&self, id: EffectId) -> Option<&Effect> {
        self.effects.get(id.0 as usize)
    }

    pub fn len(&self) -> u32 {
        self.effects.len() as u32
    }

    pub fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }

    /// Chain values of the closed groups, h_1, h_2, …
    pub fn groups(&self) -> impl Iterator<Item = Digest> + '_ {
        self.groups.iter().skip(1).map(|(_, h)| *h)
    }

    /// Digest after all effects so far.
    pub fn digest(&self) -> Digest {
        link(self.groups[self.groups.len() - 1].1, &self.open)
    }

    /// Digest after the first `count` effects; `count` beyond the end means all of them.
    pub fn digest_at(&self, count: u32) -> Digest {
        if count >= self.len() {
            return self.digest();
        }
        let group = self.groups.partition_point(|(first, _)| *first < count).saturating_sub(1);
        let (first, h) = self.groups[group];
        let bytes = self.effects[first as usize..count as usize].iter().fold(Vec::new(), |acc, e| encode(e, acc));
        link(h, &bytes)
    }

    /// The largest number of effects, at most `count`, that ends with a complete step.
    pub fn whole_steps(&self, count: u32) -> u32 {
        let Some(next) = self.effects.get(count as usize) else { return self.len() };
        self.effects[..count as usize].partition_point(|e| e.step < next.step) as u32
    }

    /// Number of effects up to the end of the step in which effect `id` happened.
    pub fn end_of_step(&self, id: EffectId) -> u32 {
        let step = self.get(id).map_or(u64::MAX, |e| e.step);
        self.effects.partition_point(|e| e.step <= step) as u32
    }

    /// Number of effects up to and including virtual time `t`.
    pub fn count_until(&self, t: Micros) -> u32 {
        self.effects.partition_point(|e| e.t <= t) as u32
    }

    /// Drops everything from effect `count` on (the world's own use when it re-executes from a keyframe).
    pub fn truncate(&mut self, count: u32) {
        if count >= self.len() {
            return;
        }
        while self.groups.len() > 1 && self.groups[self.groups.len() - 1].0 >= count {
            self.groups.pop();
        }
        self.effects.truncate(count as usize);
        let first = self.groups[self.groups.len() - 1].0;
        self.open = self.effects[first as usize..].iter().fold(Vec::new(), |acc, e| encode(e, acc));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(id: u32, step: u64) -> Effect {
        Effect {
            id: EffectId(id),
            step,
            t: Micros(step * 10),
            actor: None,
            kind: Kind::TimerFired { timer: "batch".into() },
            cause: id.checked_sub(1).map(EffectId),
            needs: vec![],
            rule: None,
        }
    }

    fn trace(count: u32) -> Trace {
        let mut trace = Trace::new();
        for id in 0..count {
            trace.push(effect(id, u64::from(id) * 3)).unwrap();
        }
        trace
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn an_effect_takes_little_room() {
        assert!(size_of::<Effect>() <= 160, "{}", size_of::<Effect>());
    }

    #[test]
    fn digest_at_equals_the_digest_of_the_prefix() {
        let whole = trace(700);
        for count in [0, 1, 85, 86, 87, 170, 171, 172, 500, 699, 700] {
            assert_eq!(whole.digest_at(count), trace(count).digest(), "{count}");
        }
    }

    #[test]
    fn truncated_trace_continues_to_the_same_digest() {
        for count in [0, 1, 86, 172, 300, 599] {
            let mut cut = trace(600);
            cut.truncate(count);
            assert_eq!(cut.digest(), trace(count).digest());
            for id in count..600 {
                cut.push(effect(id, u64::from(id) * 3)).unwrap();
            }
            assert_eq!(cut.digest(), trace(600).digest());
        }
    }

    #[test]
    fn whole_steps_never_cut_a_step() {
        let mut t = Trace::new();
        for (id, step) in [0, 0, 1, 1, 1, 4].into_iter().enumerate() {
            t.push(effect(id as u32, step)).unwrap();
        }
        let cuts: Vec<u32> = (0..=7).map(|count| t.whole_steps(count)).collect();
        assert_eq!(cuts, [0, 0, 2, 2, 2, 5, 6, 6]);
        let ends: Vec<u32> = (0..=6).map(|id| t.end_of_step(EffectId(id))).collect();
        assert_eq!(ends, [2, 2, 5, 5, 5, 6, 6]);
    }

    #[test]
    fn every_field_moves_the_digest() {
        let base = trace(10).digest();
        let mut other = trace(9);
        let mut last = effect(9, 27);
        last.needs.push(EffectId(3));
        other.push(last).unwrap();
        assert_ne!(base, other.digest());
    }

    #[test]
    fn gaps_and_steps_back_are_refused() {
        let mut t = trace(5);
        assert!(t.push(effect(6, 99)).is_err());
        assert!(t.push(effect(5, 1)).is_err());
        assert!(t.push(effect(5, 99)).is_ok());
    }
}
