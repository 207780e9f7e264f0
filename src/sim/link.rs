//! Links: a run as a line of text (PAGE.md §8.1, human form).
//!
//! `#/run/<scenario>?seed=7&n=4&at=1250ms&do=e1812~crash~css1&d=3f9a1c22b0`. A link is hostile input: every value is
//! bounded before it is used, an error names what is wrong, and nothing in a link is ever executed.

use crate::entities::actor::ActorId;
use crate::ledger::Micros;
use crate::sim::intervention::Intervention;
use crate::sim::scenario::Scenario;
use crate::sim::trace::EffectId;
use core::fmt;
use thiserror::Error;

/// Longest link accepted, in characters.
pub const MAX_LINK: usize = 8192;
/// Most interventions in a link.
pub const MAX_INTERVENTIONS: usize = 256;
/// Longest scenario name or intervention text, in characters.
const MAX_TEXT: usize = 200;
/// Longest run a link may ask for: 100,000 s of virtual time.
const MAX_TIME_US: u64 = 100_000_000_000;

/// A moment of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Moment {
    #[default]
    Start,
    /// All effects up to and including this virtual time.
    Time(Micros),
    /// All effects up to and including this one.
    Effect(EffectId),
    /// The end of the scenario.
    End,
}

impl Moment {
    /// Parses `start`, `end`, `e1234`, `1250ms`, `2s`, `50min` or `1250000us`.
    ///
    /// # Errors
    /// [`LinkError::Moment`] for anything else, and for times beyond 100,000 s.
    pub fn parse(text: &str) -> Result<Moment, LinkError> {
        let bad = || LinkError::Moment(clip(text));
        match text {
            "start" => return Ok(Moment::Start),
            "end" => return Ok(Moment::End),
            _ => {}
        }
        if let Some(id) = text.strip_prefix('e') {
            return digits(id)
                .and_then(|id| u32::try_from(id).ok())
                .map(|id| Moment::Effect(EffectId(id)))
                .ok_or_else(bad);
        }
        let unit = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let scale = match &text[unit..] {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "min" => 60_000_000,
            _ => return Err(bad()),
        };
        let us =
            digits(&text[..unit]).and_then(|v| v.checked_mul(scale)).filter(|us| *us <= MAX_TIME_US).ok_or_else(bad)?;
        Ok(Moment::Time(Micros(us)))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Start => f.write_str("start"),
            Moment::End => f.write_str("end"),
            Moment::Effect(id) => write!(f, "e{}", id.0),
            Moment::Time(t) if t.0 % 1000 == 0 => write!(f, "{}ms", t.0 / 1000),
            Moment::Time(t) => write!(f, "{}us", t.0),
        }
    }
}

/// What a human link says. Absent numbers mean the scenario's own.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Link {
    /// Id of a built-in scenario.
    pub scenario: String,
    pub seed: Option<u64>,
    /// Number of gateways.
    pub n: Option<u16>,
    pub at: Option<Moment>,
    /// Interventions in their text form (`sim::intervention`), in order.
    pub interventions: Vec<String>,
    /// Selected actor.
    pub select: Option<ActorId>,
    /// First ten hex digits of the digest at `at` (at the scenario's end without `at`).
    pub digest10: Option<String>,
    /// `worker=0`: run the engine on the main thread.
    pub no_worker: bool,
    /// `test=1`: offer what only tests need.
    pub test: bool,
    /// Keys that were not understood; the page says so.
    pub ignored: Vec<String>,
}

/// What is wrong with a link.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum LinkError {
    #[error("the link is longer than {MAX_LINK} characters")]
    TooLong,
    #[error("a link to a run starts with `#/run/` and a scenario name; this one starts with `{0}`")]
    Path(String),
    #[error("the scenario name `{0}` may only have lower-case letters, digits and hyphens")]
    Name(String),
    #[error("`{0}` is not written as key=value")]
    Pair(String),
    #[error("`{0}` holds a broken %-escape")]
    Escape(String),
    #[error("seed must be a whole number from 0 to 18446744073709551615, not `{0}`")]
    Seed(String),
    #[error("n must be a whole number from 4 to 128, not `{0}`")]
    Gateways(String),
    #[error("at must be start, end, an event like e1234 or a time like 1250ms, not `{0}`")]
    Moment(String),
    #[error("`{0}` is not an actor; write kgc1, csc1, css1, cp1 or ev1")]
    Actor(String),
    #[error("the digest d must be 10 to 64 hex digits, not `{0}`")]
    Digest(String),
    #[error("`{0}` stands twice in the link")]
    Twice(String),
    #[error("the link holds more than {MAX_INTERVENTIONS} interventions")]
    Interventions,
    #[error("an intervention in the link is longer than {MAX_TEXT} characters")]
    Intervention,
}

fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

fn digits(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn unescape(text: &str) -> Result<String, LinkError> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == b'%' {
            let pair = bytes.get(i + 1..i + 3).and_then(|p| core::str::from_utf8(p).ok());
            let value =
                pair.filter(|p| p.bytes().all(|b| b.is_ascii_hexdigit())).and_then(|p| u8::from_str_radix(p, 16).ok());
            out.push(value.ok_or_else(|| LinkError::Escape(clip(text)))?);
            i += 3;
        } else {
            out.push(bytes[i]);
            i += 1;
        }
    }
    String::from_utf8(out).map_err(|_| LinkError::Escape(clip(text)))
}

fn escape(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:+,".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

impl Link {
    /// Parses `#/run/…`, with or without what stands before the `#`. Unknown keys are kept in `ignored`.
    ///
    /// # Errors
    /// The first thing that is wrong, in words for the reader.
    pub fn parse(text: &str) -> Result<Link, LinkError> {
        if text.len() > MAX_LINK {
            return Err(LinkError::TooLong);
        }
        let fragment = text.split_once('#').map_or(text, |(_, f)| f);
        let rest = fragment.strip_prefix("/run/").ok_or_else(|| LinkError::Path(clip(text)))?;
        let (name, query) = rest.split_once('?').unwrap_or((rest, ""));
        let well_formed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || name.len() > MAX_TEXT || !name.bytes().all(well_formed) {
            return Err(LinkError::Name(clip(name)));
        }
        let mut link = Link { scenario: name.into(), ..Link::default() };
        let mut seen = std::collections::BTreeSet::new();
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(|| LinkError::Pair(clip(pair)))?;
            if key != "do" && !seen.insert(key) {
                return Err(LinkError::Twice(clip(key)));
            }
            link.set(key, &unescape(value)?)?;
        }
        Ok(link)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), LinkError> {
        match key {
            "seed" => self.seed = Some(digits(value).ok_or_else(|| LinkError::Seed(clip(value)))?),
            "n" => {
                let n =
                    digits(value).filter(|n| (4..=128).contains(n)).ok_or_else(|| LinkError::Gateways(clip(value)))?;
                self.n = Some(n as u16);
            }
            "at" => self.at = Some(Moment::parse(value)?),
            "sel" => self.select = Some(ActorId::parse(value).ok_or_else(|| LinkError::Actor(clip(value)))?),
            "do" => {
                if self.interventions.len() >= MAX_INTERVENTIONS {
                    return Err(LinkError::Interventions);
                }
                if value.len() > MAX_TEXT {
                    return Err(LinkError::Intervention);
                }
                self.interventions.push(value.into());
            }
            "d" => {
                let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
                if !(10..=64).contains(&value.len()) || !value.bytes().all(hex) {
                    return Err(LinkError::Digest(clip(value)));
                }
                self.digest10 = Some(value.into());
            }
            "worker" => self.no_worker = value == "0",
            "test" => self.test = value == "1",
            other => self.ignored.push(clip(other)),
        }
        Ok(())
    }

    /// The scenario and the interventions that the link names.
    ///
    /// # Errors
    /// One sentence, if there is no such scenario, it does not take so many gateways, or an intervention is wrong.
    pub fn resolve(&self) -> Result<(Scenario, Vec<Intervention>), String> {
        let mut scenario = Scenario::preset(&self.scenario).map_err(|e| e.to_string())?;
        if let Some(seed) = self.seed {
            scenario = scenario.with_seed(seed);
        }
        if let Some(n) = self.n {
            scenario = scenario.with_n(n).map_err(|e| e.to_string())?;
        }
        let interventions: Result<_, _> = self.interventions.iter().map(|text| Intervention::parse(text)).collect();
        Ok((scenario, interventions.map_err(|e| e.to_string())?))
    }

    /// The human form, starting with `#/run/`.
    pub fn to_human(&self) -> String {
        let mut pairs = Vec::new();
        pairs.extend(self.seed.map(|seed| format!("seed={seed}")));
        pairs.extend(self.n.map(|n| format!("n={n}")));
        pairs.extend(self.interventions.iter().map(|text| format!("do={}", escape(text))));
        pairs.extend(self.at.map(|at| format!("at={at}")));
        pairs.extend(self.select.map(|id| format!("sel={id}")));
        pairs.extend(self.no_worker.then(|| "worker=0".to_string()));
        pairs.extend(self.test.then(|| "test=1".to_string()));
        pairs.extend(self.digest10.iter().map(|d| format!("d={d}")));
        let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
        format!("#/run/{}{query}", self.scenario)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_reads_back_as_written() {
        let link = Link {
            scenario: "one-liar".into(),
            seed: Some(u64::MAX),
            n: Some(7),
            at: Some(Moment::Time(Micros(1_250_000))),
            interventions: vec!["e1812~crash~css1".into(), "1204ms~flip~e1790~420~0 é&=#".into()],
            select: ActorId::parse("css3"),
            digest10: Some("3f9a1c22b0".into()),
            no_worker: true,
            test: false,
            ignored: vec![],
        };
        assert_eq!(Link::parse(&link.to_human()), Ok(link.clone()));
        assert_eq!(Link::parse(&format!("https://example.org/x/{}", link.to_human())), Ok(link));
    }

    #[test]
    fn the_shortest_link_is_a_name() {
        assert_eq!(Link::parse("#/run/day4").map(|l| l.to_human()), Ok("#/run/day4".into()));
    }

    #[test]
    fn unknown_keys_are_named_not_obeyed() {
        assert_eq!(Link::parse("#/run/day4?lang=de&x=1").map(|l| l.ignored), Ok(vec!["lang".into(), "x".into()]));
    }

    #[test]
    fn each_error_names_what_is_wrong() {
        let error = |text: &str| Link::parse(text).map_err(|e| e.to_string()).expect_err(text);
        for (text, part) in [
            ("#/walk/day4", "#/run/"),
            ("#/run/", "scenario name"),
            ("#/run/Day%204", "scenario name"),
            ("#/run/day4?seed", "key=value"),
            ("#/run/day4?seed=-1", "seed"),
            ("#/run/day4?seed=18446744073709551616", "seed"),
            ("#/run/day4?n=3", "from 4 to 128"),
            ("#/run/day4?n=1e9", "from 4 to 128"),
            ("#/run/day4?at=soon", "1250ms"),
            ("#/run/day4?at=999999999999s", "1250ms"),
            ("#/run/day4?at=é", "1250ms"),
            ("#/run/day4?sel=css0", "not an actor"),
            ("#/run/day4?d=xyz", "hex"),
            ("#/run/day4?seed=%zz", "%-escape"),
            ("#/run/day4?do=%ff", "%-escape"),
            ("#/run/day4?seed=1&n=4&seed=2", "`seed` stands twice"),
        ] {
            assert!(error(text).contains(part), "{text}: {}", error(text));
        }
        assert_eq!(Link::parse(&"x".repeat(MAX_LINK + 1)), Err(LinkError::TooLong));
        let many = format!("#/run/day4?{}", "do=a&".repeat(MAX_INTERVENTIONS + 1));
        assert_eq!(Link::parse(&many), Err(LinkError::Interventions));
    }

    proptest::proptest! {
        #[test]
        fn noise_never_panics(text in ".{0,200}") {
            let _ = Link::parse(&text);
            let _ = Link::parse(&format!("#/run/day4?{text}"));
            let _ = Moment::parse(&text);
        }
    }
}
