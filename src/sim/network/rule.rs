//! Rules for links: what a scenario or a person does to messages of some senders, receivers and kinds for a while.

use crate::entities::actor::ActorId;
use crate::ledger::Micros;
use crate::sim::trace::PacketTag;
use crate::sim::units::{Dur, Many, PacketName, Pattern, Ratio};
use core::fmt;
use serde::{Deserialize, Serialize};

/// Bounds of what a rule may ask for.
const LONGEST_DELAY: Dur = Dur::secs(3_600);
const SHORTEST_FLAP: Dur = Dur::ms(1);

/// Which messages a link rule is about, and what it needs to know.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleArgs {
    /// Senders; none named means all.
    pub from: Many<Pattern>,
    /// Recipients; none named means all.
    pub to: Many<Pattern>,
    /// Packets; none named means all.
    pub packet: Many<PacketName>,
    /// The same for the way back.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub both: bool,
    /// On for this long, off for as long, and so on; counted from the start of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flap: Option<Dur>,
    /// Virtual time at which the rule ends; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Dur>,
    /// `delay` only: how much later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Dur>,
    /// `loss` only: how many are lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Ratio>,
    /// `corrupt` only: byte of the packet's body; absent: drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte: Option<u32>,
    /// `corrupt` only: bit of that byte; absent: drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bit: Option<u8>,
}

impl RuleArgs {
    /// Whether it is about such a message.
    pub fn covers(&self, from: ActorId, to: ActorId, tag: PacketTag) -> bool {
        let any = |set: &Many<Pattern>, actor| set.0.is_empty() || set.0.iter().any(|p| p.matches(actor));
        let there = any(&self.from, from) && any(&self.to, to);
        let back = self.both && any(&self.from, to) && any(&self.to, from);
        (there || back) && (self.packet.0.is_empty() || self.packet.0.iter().any(|p| p.matches(tag)))
    }

    pub(super) fn in_force(&self, now: Micros) -> bool {
        self.until.is_none_or(|until| now < until.micros())
            && self.flap.is_none_or(|flap| (now.0 / flap.0.max(1)).is_multiple_of(2))
    }

    /// Packets and links in words.
    pub fn scope(&self) -> String {
        let way = if self.both { "between" } else { "from" };
        let and = if self.both { "and" } else { "to" };
        let (from, to) = (list(&self.from, "anybody"), list(&self.to, "anybody"));
        format!("{} {way} {from} {and} {to}", list(&self.packet, "every packet"))
    }
}

/// Something a link does to messages from now on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkRule {
    /// Nothing passes; a partition if both directions are named.
    Block(RuleArgs),
    /// Everything takes longer.
    Delay(RuleArgs),
    /// This share is lost, in place of the network's own.
    Loss(RuleArgs),
    /// One bit of the body is flipped.
    Corrupt(RuleArgs),
    /// Kept until released by hand.
    Hold(RuleArgs),
}

impl LinkRule {
    pub fn args(&self) -> &RuleArgs {
        match self {
            LinkRule::Block(a) | LinkRule::Delay(a) | LinkRule::Loss(a) | LinkRule::Corrupt(a) | LinkRule::Hold(a) => a,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            LinkRule::Block(_) => "block",
            LinkRule::Delay(_) => "delay",
            LinkRule::Loss(_) => "loss",
            LinkRule::Corrupt(_) => "corrupt",
            LinkRule::Hold(_) => "hold",
        }
    }

    /// One sentence on what is wrong with the rule, if anything.
    pub fn check(&self) -> Result<(), String> {
        let a = self.args();
        let delay = matches!(self, LinkRule::Delay(_));
        let loss = matches!(self, LinkRule::Loss(_));
        let corrupt = matches!(self, LinkRule::Corrupt(_));
        let given = [("by", a.by.is_some(), delay), ("ratio", a.ratio.is_some(), loss)];
        for (field, present, wanted) in given {
            if present != wanted {
                let verb = if wanted { "needs" } else { "does not take" };
                return Err(format!("a `{}` rule {verb} `{field}`", self.name()));
            }
        }
        if !corrupt && (a.byte.is_some() || a.bit.is_some()) {
            return Err(format!("a `{}` rule does not take `byte` or `bit`", self.name()));
        }
        if a.by.is_some_and(|by| by > LONGEST_DELAY) {
            return Err(format!("`by` is at most {LONGEST_DELAY}"));
        }
        if a.flap.is_some_and(|flap| flap < SHORTEST_FLAP) {
            return Err(format!("`flap` is at least {SHORTEST_FLAP}"));
        }
        if a.bit.is_some_and(|bit| bit > 7) {
            return Err("`bit` counts from 0 to 7".into());
        }
        Ok(())
    }
}

fn list<T: fmt::Display>(items: &Many<T>, all: &str) -> String {
    match items.0.as_slice() {
        [] => all.to_owned(),
        some => some.iter().map(T::to_string).collect::<Vec<_>>().join(", "),
    }
}

impl fmt::Display for LinkRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let a = self.args();
        let what = a.scope();
        match self {
            LinkRule::Block(_) => write!(f, "block {what}")?,
            LinkRule::Delay(_) => write!(f, "delay {what} by {}", a.by.unwrap_or_default())?,
            LinkRule::Loss(_) => write!(f, "lose {} of {what}", a.ratio.unwrap_or(Ratio::ZERO))?,
            LinkRule::Hold(_) => write!(f, "hold {what}")?,
            LinkRule::Corrupt(_) => match (a.byte, a.bit) {
                (Some(byte), Some(bit)) => write!(f, "flip bit {bit} of byte {byte} in {what}")?,
                _ => write!(f, "flip one bit in {what}")?,
            },
        }
        if let Some(flap) = a.flap {
            write!(f, " on and off every {flap}")?;
        }
        match a.until {
            Some(until) => write!(f, " until {until}"),
            None => Ok(()),
        }
    }
}
