//! How quantities are written in scenario files, links and interventions: `"8ms"`, `"1/100"`, `"css*"` (WORLD.md §9).
//!
//! Each type parses and prints one text form; in binary codecs it is a plain number. No floats anywhere.

use crate::entities::actor::{ActorId, Role};
use crate::ledger::Micros;
use crate::sim::trace::PacketTag;
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length or a point of virtual time in µs, written `8ms`, `2.05s`, `50min`, `1h`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Dur(pub u64);

const UNITS: [(&str, u64); 5] = [("us", 1), ("ms", 1_000), ("min", 60_000_000), ("s", 1_000_000), ("h", 3_600_000_000)];

impl Dur {
    pub const fn ms(ms: u64) -> Self {
        Dur(ms * 1_000)
    }

    pub const fn secs(s: u64) -> Self {
        Dur(s * 1_000_000)
    }

    pub const fn minutes(min: u64) -> Self {
        Dur(min * 60_000_000)
    }

    pub const fn micros(self) -> Micros {
        Micros(self.0)
    }

    /// Parses a decimal number and a unit; `None` if anything else stands there or a µs would have to be cut.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, scale) = UNITS.iter().find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, *scale)))?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |s: &str| !s.is_empty() && s.len() <= 15 && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return None;
        }
        let tens = 10u128.pow(fraction.len() as u32);
        let part = u128::from(fraction.parse::<u64>().ok()?) * u128::from(scale);
        if part % tens != 0 {
            return None;
        }
        let whole = u128::from(whole.parse::<u64>().ok()?) * u128::from(scale);
        u64::try_from(whole + part / tens).ok().map(Dur)
    }
}

impl fmt::Display for Dur {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0;
        for (unit, scale) in [("h", 3_600_000_000), ("min", 60_000_000)] {
            if us > 0 && us.is_multiple_of(scale) {
                return write!(f, "{}{unit}", us / scale);
            }
        }
        let (unit, scale) =
            if us == 0 || us >= 1_000_000 && us.is_multiple_of(1_000) { ("s", 1_000_000) } else { ("ms", 1_000) };
        let rest = format!("{:0width$}", us % scale, width = scale.ilog10() as usize);
        match rest.trim_end_matches('0') {
            "" => write!(f, "{}{unit}", us / scale),
            rest => write!(f, "{}.{rest}{unit}", us / scale),
        }
    }
}

/// A signed length of virtual time in µs, written `40ms` or `-1.5s`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shift(pub i64);

impl Shift {
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, length) = match text.strip_prefix('-') {
            Some(length) => (-1, length),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        Some(Shift(sign * i64::try_from(Dur::parse(length)?.0).ok()?))
    }

    /// What a clock that is off by this much shows.
    pub fn shown(self, at: Micros) -> Micros {
        Micros(at.0.saturating_add_signed(self.0))
    }

    pub fn length(self) -> Dur {
        Dur(self.0.unsigned_abs())
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.0 < 0 { "-" } else { "" }, self.length())
    }
}

/// A probability `num/den`, written `1/100`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ratio {
    pub num: u32,
    pub den: u32,
}

impl Ratio {
    pub const ZERO: Ratio = Ratio { num: 0, den: 100 };

    pub fn parse(text: &str) -> Option<Self> {
        let (num, den) = text.split_once('/')?;
        let ratio = Ratio { num: num.trim().parse().ok()?, den: den.trim().parse().ok()? };
        (ratio.den > 0 && ratio.num <= ratio.den).then_some(ratio)
    }

    /// Whether a uniform draw falls inside.
    pub fn hit(self, draw: u32) -> bool {
        (u64::from(draw) * u64::from(self.den)) >> 32 < u64::from(self.num)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.num, self.den)
    }
}

/// Some actors of one role: `css1`, `css*`, `cp2..5` (both ends included).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pattern {
    role: Role,
    first: u16,
    last: u16,
}

impl Pattern {
    pub fn one(actor: ActorId) -> Self {
        Pattern { role: actor.role, first: actor.index, last: actor.index }
    }

    pub fn parse(text: &str) -> Option<Self> {
        if let Some(prefix) = text.strip_suffix('*') {
            let role = Role::ACTORS.into_iter().find(|r| r.prefix() == prefix)?;
            return Some(Pattern { role, first: 0, last: u16::MAX });
        }
        let Some((from, to)) = text.split_once("..") else {
            return ActorId::parse(text).map(Pattern::one);
        };
        let from = ActorId::parse(from)?;
        let last = ActorId::parse(&format!("{}{to}", from.role.prefix()))?.index;
        (from.index <= last).then_some(Pattern { role: from.role, first: from.index, last })
    }

    /// The actors that it names one by one: both ends of a range, nobody of `css*`.
    pub fn named(&self) -> Vec<ActorId> {
        match (self.first, self.last) {
            (0, u16::MAX) => Vec::new(),
            (a, b) if a == b => vec![ActorId::new(self.role, a)],
            (a, b) => vec![ActorId::new(self.role, a), ActorId::new(self.role, b)],
        }
    }

    pub fn matches(&self, actor: ActorId) -> bool {
        actor.role == self.role && (self.first..=self.last).contains(&actor.index)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = ActorId::new(self.role, self.first);
        match (self.first, self.last) {
            (0, u16::MAX) => write!(f, "{}*", self.role.prefix()),
            (a, b) if a == b => write!(f, "{first}"),
            (_, last) => write!(f, "{first}..{}", u32::from(last) + 1),
        }
    }
}

/// A set of packets by name: `route`, `direct`, `pbft.prepare`, or `pbft` for everything the gateways exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PacketName(&'static str);

/// The name for all that gateways exchange.
const CONSENSUS: &str = "pbft";

impl PacketName {
    pub fn parse(text: &str) -> Option<Self> {
        let names = PacketTag::ALL.iter().map(|tag| tag.name());
        names.chain([CONSENSUS]).find(|name| *name == text).map(PacketName)
    }

    pub fn matches(&self, tag: PacketTag) -> bool {
        let name = tag.name();
        name == self.0 || self.0 == CONSENSUS && name.starts_with("pbft.")
    }
}

impl fmt::Display for PacketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

macro_rules! text_form {
    ($type:ty, $expected:literal, $to:expr, $plain:ty, $from:expr) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() { s.collect_str(self) } else { $to(self).serialize(s) }
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let parsed = if d.is_human_readable() {
                    Self::parse(&String::deserialize(d)?)
                } else {
                    $from(<$plain>::deserialize(d)?)
                };
                parsed.ok_or_else(|| de::Error::custom(concat!("expected ", $expected)))
            }
        }
    };
}

text_form!(Dur, "a duration such as \"8ms\", \"2.05s\" or \"50min\"", |d: &Dur| d.0, u64, |us| Some(Dur(us)));
text_form!(Shift, "a signed duration such as \"40ms\" or \"-1.5s\"", |s: &Shift| s.0, i64, |us| Some(Shift(us)));
text_form!(Ratio, "a ratio such as \"1/100\", not above one", |r: &Ratio| (r.num, r.den), (u32, u32), |(num, den)| {
    (den > 0 && num <= den).then_some(Ratio { num, den })
});
text_form!(
    Pattern,
    "an actor such as \"css1\", \"css*\" or \"cp2..5\"",
    |p: &Pattern| p.to_string(),
    String,
    |text: String| Pattern::parse(&text)
);
text_form!(
    PacketName,
    "a packet name such as \"route\", \"pbft\" or \"pbft.prepare\"",
    |p: &PacketName| p.0,
    String,
    |text: String| PacketName::parse(&text)
);

/// One thing or a list of things; empty stands for "all".
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Many<T>(pub Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Many(Vec::new())
    }
}

impl<T: Serialize> Serialize for Many<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] if s.is_human_readable() => one.serialize(s),
            all => all.serialize(s),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor<T>(core::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = Many<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a list of names")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Many<T>, E> {
                T::deserialize(de::value::StrDeserializer::new(text)).map(|one| Many(vec![one]))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Many<T>, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = seq.next_element()? {
                    all.push(one);
                }
                Ok(Many(all))
            }
        }
        if d.is_human_readable() {
            d.deserialize_any(Visitor(core::marker::PhantomData))
        } else {
            Vec::deserialize(d).map(Many)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_trip() {
        for (text, us) in [
            ("8ms", 8_000),
            ("2.05s", 2_050_000),
            ("50min", 3_000_000_000),
            ("1h", 3_600_000_000),
            ("0s", 0),
            ("1.204s", 1_204_000),
            ("0.003ms", 3),
            ("1500.001ms", 1_500_001),
        ] {
            assert_eq!(Dur::parse(text), Some(Dur(us)), "{text}");
            assert_eq!(Dur(us).to_string(), text);
        }
        assert_eq!(Dur::parse("250us"), Some(Dur(250)));
        for bad in ["", "8", "ms", "-1s", "1.5us", "1e3s", "1.s", ".5s", "99999999999999999h", " 1s"] {
            assert_eq!(Dur::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn shifts_go_both_ways() {
        for (text, us) in [("40ms", 40_000), ("-1.5s", -1_500_000), ("0s", 0)] {
            assert_eq!(Shift::parse(text), Some(Shift(us)));
            assert_eq!(Shift(us).to_string(), text);
        }
        assert_eq!(Shift::parse("+2s"), Some(Shift(2_000_000)));
        assert!(Shift::parse("--2s").is_none() && Shift::parse("").is_none());
        assert_eq!(Shift(-5).shown(Micros(3)), Micros(0), "no clock goes below its zero");
    }

    #[test]
    fn patterns_name_what_they_say() {
        let cp = |index| ActorId::new(Role::Cp, index);
        let range = Pattern::parse("cp2..5").unwrap();
        assert_eq!((0..6).map(|i| range.matches(cp(i))).collect::<Vec<_>>(), [false, true, true, true, true, false]);
        assert!(Pattern::parse("css*").unwrap().matches(ActorId::new(Role::Css, 30)));
        assert!(!Pattern::parse("css*").unwrap().matches(cp(0)));
        for text in ["css*", "cp2..5", "kgc1", "eve"] {
            assert_eq!(Pattern::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "*", "cp", "cp5..2", "cp0", "xx*", "cp1..ev2"] {
            assert_eq!(Pattern::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn ratios_hit_as_often_as_they_say() {
        let third = Ratio::parse("1/3").unwrap();
        let hits = (0..3000u64).filter(|k| third.hit((k * (u64::from(u32::MAX) / 3000)) as u32)).count();
        assert!((999..=1001).contains(&hits), "{hits}");
        assert!(!Ratio::ZERO.hit(0));
        assert!(Ratio { num: 1, den: 1 }.hit(u32::MAX));
        assert_eq!(Ratio::parse("2/1"), None);
        assert_eq!(Ratio::parse("0/0"), None);
    }
}
