//! What a person may do to a run, and how it is written (CONSENSUS.md §4.7, WORLD.md §12).
//!
//! One value has three forms: JSON (`{"at": "e1812", "do": {"crash": "css1"}}`, also in scenario files), a short text
//! for links (`e1812~crash~css1`), and a sentence for the log. Nothing here touches a world.

use crate::entities::actor::{ActorId, Role};
use crate::ledger::Micros;
use crate::sim::adversary::{BehaviourKind, Split, Trigger};
use crate::sim::network::{LinkRule, RuleArgs};
use crate::sim::scenario::{MAX_END, plain};
use crate::sim::trace::EffectId;
use crate::sim::units::{Dur, Shift};
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The moment of an intervention.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// After the step that made this effect.
    Effect(EffectId),
    /// After everything that happens up to and including this virtual time.
    Time(Micros),
}

impl At {
    pub fn parse(text: &str) -> Option<Self> {
        effect(text).map(At::Effect).or_else(|| Dur::parse(text).map(|d| At::Time(d.micros())))
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Effect(id) => write!(f, "e{}", id.0),
            At::Time(t) => Dur(t.0).fmt(f),
        }
    }
}

fn effect(text: &str) -> Option<EffectId> {
    let digits = text.strip_prefix('e')?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok().map(EffectId)).flatten()
}

/// The `Sent` (or `Duplicated`) effect of a message that is still on its way, written `e1790`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flight(pub EffectId);

impl Flight {
    pub fn parse(text: &str) -> Option<Self> {
        effect(text).map(Flight)
    }
}

impl fmt::Display for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.0.0)
    }
}

macro_rules! as_text {
    ($type:ty, $expected:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                <$type>::parse(&text).ok_or_else(|| de::Error::custom(concat!("expected ", $expected)))
            }
        }
    };
}
as_text!(At, "an event such as \"e1812\" or a time such as \"1204ms\"");
as_text!(Flight, "an event such as \"e1790\"");

/// Makes an actor follow a Byzantine behaviour.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behave {
    pub node: ActorId,
    pub kind: BehaviourKind,
    #[serde(default)]
    pub when: Trigger,
    /// For `twins`: who hears which body in view 0, 1, …; after the last word everybody hears both, and without any it
    /// is drawn.
    #[serde(default)]
    pub hears: Vec<Split>,
}

/// Views that [`Behave::hears`] may name.
const MOST_WORDS: usize = 64;

impl Behave {
    /// A behaviour that strikes whenever it can.
    pub fn always(node: ActorId, kind: BehaviourKind) -> Self {
        Behave { node, kind, when: Trigger::Always, hears: Vec::new() }
    }

    /// One sentence on what is wrong with it, if anything.
    ///
    /// # Errors
    /// The sentence.
    pub fn check(&self) -> Result<(), String> {
        if !self.kind.fits(self.node.role) {
            let who: Vec<String> = self.kind.roles().iter().map(|role| role.prefix().to_uppercase()).collect();
            let (name, who) = (self.kind.name(), who.join(" or "));
            return Err(format!("`{name}` is a behaviour of a {who}, and {} is none", self.node));
        }
        if !self.hears.is_empty() && self.kind != BehaviourKind::Twins || self.hears.len() > MOST_WORDS {
            return Err(format!("`hears` is for `twins`, and has at most {MOST_WORDS} words"));
        }
        self.when.check()
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    pub event: Flight,
    pub by_us: u64,
}

/// One bit of a message on its way; the byte is counted in the packet's body, after its kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flip {
    pub event: Flight,
    pub byte: u32,
    pub bit: u8,
}

/// Makes an actor compute slower.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slow {
    pub node: ActorId,
    /// Factor on all its virtual costs; 1 is its own speed.
    pub times: u32,
}

/// Sets an actor's clock.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skew {
    pub node: ActorId,
    /// How far it is ahead of the world's.
    pub by: Shift,
}

/// Bounds of [`Slow`] and [`Skew`].
const SLOWEST: u32 = 1_000;
const WIDEST_SKEW: Dur = Dur::secs(3_600);

/// A crash in the middle of a step: after the k-th output of the actor's next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Torn {
    pub node: ActorId,
    pub k: u32,
}

/// What is done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The actor stops and forgets everything but its durable store.
    Crash(ActorId),
    /// The actor stops taking input; what arrives waits.
    Pause(ActorId),
    Resume(ActorId),
    /// The actor is back after a crash, with its durable store.
    Restart(ActorId),
    /// The same for a gateway that lost what its replica had persisted; it counts as faulty.
    RestartAmnesia(ActorId),
    TornStep(Torn),
    Behave(Behave),
    /// The actor is honest again (and still counts as faulty).
    Calm(ActorId),
    Drop(Flight),
    /// The message arrives now.
    Deliver(Flight),
    Delay(Delay),
    Duplicate(Flight),
    Flip(Flip),
    Link(LinkRule),
    /// Held messages go on their way.
    Release(RuleArgs),
    Slow(Slow),
    Skew(Skew),
    /// The car complains about the last ciphertext it was shown.
    Complain(ActorId),
    /// The KGC proves who sent the newest stored ciphertext.
    OpenTicket(ActorId),
}

impl Action {
    /// One sentence on what is wrong with the action itself, if anything.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Action::Behave(b) => b.check(),
            Action::RestartAmnesia(a) if a.role != Role::Css => Err("only gateways can lose what they signed".into()),
            Action::Complain(a) if a.role != Role::Ev => Err(format!("only cars complain, and {a} is none")),
            Action::OpenTicket(a) if a.role != Role::Kgc => Err(format!("only the KGC opens tickets, and {a} is none")),
            Action::Link(rule) => rule.check(),
            Action::Release(a)
                if *a
                    != (RuleArgs {
                        from: a.from.clone(),
                        to: a.to.clone(),
                        packet: a.packet.clone(),
                        both: a.both,
                        ..RuleArgs::default()
                    }) =>
            {
                Err("a `release` takes `from`, `to`, `packet` and `both` only".into())
            }
            Action::Slow(s) if !(1..=SLOWEST).contains(&s.times) => Err(format!("`times` must be from 1 to {SLOWEST}")),
            Action::Skew(s) if s.by.length() > WIDEST_SKEW => Err(format!("a clock is off by at most {WIDEST_SKEW}")),
            Action::Flip(f) if f.bit > 7 => Err("`bit` counts from 0 to 7".into()),
            Action::Delay(d) if d.by_us > 100_000_000_000 => Err("a delay is at most 100,000 s".into()),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Crash(a) => write!(f, "{} crashes", a.label()),
            Action::Pause(a) => write!(f, "{} is paused", a.label()),
            Action::Resume(a) => write!(f, "{} goes on", a.label()),
            Action::Restart(a) => write!(f, "{} restarts", a.label()),
            Action::RestartAmnesia(a) => write!(f, "{} restarts without its memory", a.label()),
            Action::TornStep(t) => write!(f, "{} crashes after output {} of its next step", t.node.label(), t.k),
            Action::Behave(b) => write!(f, "{} turns Byzantine: {}", b.node.label(), b.kind.title()),
            Action::Calm(a) => write!(f, "{} is honest again", a.label()),
            Action::Drop(e) => write!(f, "message {e} is dropped"),
            Action::Deliver(e) => write!(f, "message {e} is delivered at once"),
            Action::Delay(d) => write!(f, "message {} is delayed by {}", d.event, Dur(d.by_us)),
            Action::Duplicate(e) => write!(f, "message {e} is doubled"),
            Action::Flip(x) => write!(f, "bit {} of byte {} of message {} is flipped", x.bit, x.byte, x.event),
            Action::Link(rule) => write!(f, "links {rule}"),
            Action::Release(a) => write!(f, "held messages go on: {}", a.scope()),
            Action::Slow(s) => write!(f, "{} computes {} times slower", s.node.label(), s.times),
            Action::Skew(s) => {
                let way = if s.by.0 < 0 { "behind" } else { "ahead" };
                write!(f, "the clock of {} is {} {way}", s.node.label(), s.by.length())
            }
            Action::Complain(a) => write!(f, "{} complains about the last ciphertext it was shown", a.label()),
            Action::OpenTicket(a) => write!(f, "{} opens the ticket of the newest ciphertext", a.label()),
        }
    }
}

/// An action and its moment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intervention {
    pub at: At,
    #[serde(rename = "do")]
    pub action: Action,
}

/// What is wrong with a written intervention.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("intervention `{text}`: {why}")]
pub struct ParseError {
    text: String,
    why: String,
}

/// The beginning of a text, with nothing in it that a terminal would obey.
fn clip(text: &str, most: usize) -> String {
    let head: String = text.chars().take(most).collect();
    plain(&head) + if head.len() < text.len() { "…" } else { "" }
}

impl Intervention {
    /// The form of links: `e1812~crash~css1`; conditions and link rules have no short form and are written as JSON.
    pub fn to_text(&self) -> String {
        let at = self.at;
        match &self.action {
            Action::Crash(a) => format!("{at}~crash~{a}"),
            Action::Pause(a) => format!("{at}~pause~{a}"),
            Action::Resume(a) => format!("{at}~resume~{a}"),
            Action::Restart(a) => format!("{at}~restart~{a}"),
            Action::RestartAmnesia(a) => format!("{at}~restart~{a}~amnesia"),
            Action::TornStep(t) => format!("{at}~torn_step~{}~{}", t.node, t.k),
            Action::Calm(a) => format!("{at}~calm~{a}"),
            Action::Complain(a) => format!("{at}~complain~{a}"),
            Action::OpenTicket(a) => format!("{at}~open_ticket~{a}"),
            Action::Behave(b) if *b == Behave::always(b.node, b.kind) => {
                format!("{at}~behave~{}~{}", b.node, b.kind.name())
            }
            Action::Drop(e) => format!("{at}~drop~{e}"),
            Action::Deliver(e) => format!("{at}~deliver~{e}"),
            Action::Duplicate(e) => format!("{at}~duplicate~{e}"),
            Action::Delay(d) => format!("{at}~delay~{}~{}", d.event, Dur(d.by_us)),
            Action::Flip(x) => format!("{at}~flip~{}~{}~{}", x.event, x.byte, x.bit),
            Action::Slow(s) => format!("{at}~slow~{}~{}", s.node, s.times),
            Action::Skew(s) => format!("{at}~skew~{}~{}", s.node, s.by),
            Action::Behave(_) | Action::Link(_) | Action::Release(_) => serde_json::to_string(self).unwrap_or_default(),
        }
    }

    /// Reads the form of links, or JSON.
    ///
    /// # Errors
    /// A sentence that names the intervention and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let parsed = if text.starts_with('{') {
            serde_json::from_str(text).map_err(|e| e.to_string())
        } else {
            Self::parse_short(text)
        };
        let checked = parsed.and_then(|i: Intervention| match i.at {
            At::Time(t) if t > MAX_END.micros() => Err(format!("no run is longer than {MAX_END}")),
            _ => i.action.check().map(|()| i),
        });
        checked.map_err(|why| ParseError { text: clip(text, 80), why: clip(&why, 400) })
    }

    fn parse_short(text: &str) -> Result<Self, String> {
        let form = || "expected a moment, an action and its arguments, such as `e1812~crash~css1`".to_owned();
        let mut parts = text.split('~');
        let moment = parts.next().filter(|moment| !moment.is_empty()).ok_or_else(form)?;
        let verb = parts.next().ok_or_else(form)?;
        let at = At::parse(moment).ok_or_else(|| {
            format!("`{moment}` is no moment; expected an event such as `e1812` or a time such as `1.2s`")
        })?;
        let args: Vec<&str> = parts.collect();
        let who = |a: &&str| ActorId::parse(a).ok_or_else(|| format!("`{a}` is no actor; expected one such as `css1`"));
        let event =
            |e: &&str| Flight::parse(e).ok_or_else(|| format!("`{e}` is no event; expected one such as `e1790`"));
        let length = |by: &&str| format!("`{by}` is no length of time; expected one such as `20ms`");
        let action = match (verb, args.as_slice()) {
            ("crash", [a]) => Action::Crash(who(a)?),
            ("pause", [a]) => Action::Pause(who(a)?),
            ("resume", [a]) => Action::Resume(who(a)?),
            ("restart", [a]) => Action::Restart(who(a)?),
            ("restart", [a, "amnesia"]) => Action::RestartAmnesia(who(a)?),
            ("torn_step", [a, k]) => Action::TornStep(Torn { node: who(a)?, k: number(k)? }),
            ("calm", [a]) => Action::Calm(who(a)?),
            ("complain", [a]) => Action::Complain(who(a)?),
            ("open_ticket", [a]) => Action::OpenTicket(who(a)?),
            ("behave", [a, kind]) => {
                let found = BehaviourKind::parse(kind).ok_or_else(|| format!("there is no behaviour `{kind}`"))?;
                Action::Behave(Behave::always(who(a)?, found))
            }
            ("drop", [e]) => Action::Drop(event(e)?),
            ("deliver", [e]) => Action::Deliver(event(e)?),
            ("duplicate", [e]) => Action::Duplicate(event(e)?),
            ("delay", [e, by]) => {
                Action::Delay(Delay { event: event(e)?, by_us: Dur::parse(by).ok_or_else(|| length(by))?.0 })
            }
            ("slow", [a, times]) => Action::Slow(Slow { node: who(a)?, times: number(times)? }),
            ("skew", [a, by]) => Action::Skew(Skew { node: who(a)?, by: Shift::parse(by).ok_or_else(|| length(by))? }),
            ("flip", [e, byte, bit]) => Action::Flip(Flip { event: event(e)?, byte: number(byte)?, bit: number(bit)? }),
            _ => return Err(form()),
        };
        Ok(Intervention { at, action })
    }
}

fn number<T: core::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no whole number in range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms_round_trip() {
        for text in [
            "e1812~crash~css1",
            "1.204s~pause~css2",
            "0s~resume~kgc1",
            "2s~restart~css1",
            "2s~restart~css1~amnesia",
            "2s~torn_step~css1~3",
            "e5~behave~css1~equivocating_primary",
            "e5~calm~css1",
            "30s~complain~ev2",
            "30s~open_ticket~kgc1",
            "e9~drop~e7",
            "e9~deliver~e7",
            "e9~duplicate~e7",
            "e9~delay~e7~20ms",
            "e9~flip~e7~420~0",
            "2s~slow~css2~10",
            "2s~skew~css2~-40ms",
            r#"{"at":"3s","do":{"release":{"from":"css4","to":[],"packet":"pbft"}}}"#,
            r#"{"at":"e1","do":{"link":{"block":{"from":"css4","to":"css1","packet":[],"both":true,"flap":"200ms"}}}}"#,
            r#"{"at":"e1","do":{"link":{"block":{"from":"css4","to":["css1","css2"],"packet":[],"until":"2s"}}}}"#,
            r#"{"at":"e1","do":{"behave":{"node":"css1","kind":"silent","when":{"views":[0]},"hears":[]}}}"#,
        ] {
            let parsed = Intervention::parse(text).unwrap();
            assert_eq!(parsed.to_text(), text);
            let json = serde_json::to_string(&parsed).unwrap();
            assert_eq!(Intervention::parse(&json).unwrap(), parsed);
        }
    }

    #[test]
    fn inject_of_the_page_is_understood() {
        let json = r#"{ "at": "1204ms", "do": { "flip": { "event": "e1790", "byte": 3, "bit": 7 } } }"#;
        let parsed = Intervention::parse(json).unwrap();
        assert_eq!(parsed.at, At::Time(Micros(1_204_000)));
        let json = r#"{ "at": "e3", "do": { "behave": { "node": "css1", "kind": "silent" } } }"#;
        assert!(matches!(
            Intervention::parse(json).unwrap().action,
            Action::Behave(Behave { when: Trigger::Always, .. })
        ));
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for bad in [
            "",
            "e1",
            "e1~crash",
            "e1~restart~cp1~amnesia",
            "e1~crash~css0",
            "x~crash~css1",
            "e1~flip~e2~0~8",
            "e1~behave~css1~nice",
            "{}",
            "2s~slow~css1~0",
            "2s~skew~css1~2h",
            r#"{"at":"3s","do":{"release":{"until":"4s"}}}"#,
        ] {
            let error = Intervention::parse(bad).unwrap_err().to_string();
            assert!(error.starts_with("intervention `"), "{error}");
        }
    }
}
