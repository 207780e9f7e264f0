//! Byzantine actors: the honest state machine inside a wrapper that owns its real keys (CONSENSUS.md §5).
//!
//! Here is the frame; each behaviour is a file of `catalogue`. A behaviour may change, add or withhold what its own actor
//! sends and hears. It signs with its own key, or with that of a gateway that shares its keys with it (`ring`), and with
//! no other: a vote in another's name has a signature that nobody accepts.

mod catalogue;
mod cx;
mod ring;
mod rogue;
mod split;
mod trigger;

pub use catalogue::BehaviourKind;
pub use cx::Cx;
pub use ring::Ring;
pub use split::Split;
pub use trigger::Trigger;

use crate::entities::actor::Role;
use crate::entities::{Input, Output, Packet, PlantEvent};
use crate::pbft::Message;
use crate::sim::intervention::Behave;
use crate::sim::trace::{ItemId, PacketInfo};
use crate::sim::world::describe;
use std::sync::Arc;

/// What a behaviour is, for menus, logs and tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Description {
    /// A few words for menus and the log, after the actor's name.
    pub title: &'static str,
    /// Who can do it; nobody named means anybody.
    pub roles: &'static [Role],
    /// It only leaves things out: the actor still counts as correct (CONSENSUS.md §5.4).
    pub omits: bool,
    pub expect: Expect,
}

/// What must come of it while at most f gateways lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expect {
    /// Rules and checks by which honest actors notice it, names of the errors they give, or classes of evidence they hold.
    pub fires: &'static [&'static str],
    /// Whether the run still does what it is for: the commands are stored and obeyed.
    pub decides: bool,
    /// Invariants that it breaks at the liar itself; all others hold.
    pub breaks: &'static [&'static str],
    /// What a person sees.
    pub sentence: &'static str,
}

impl Description {
    /// A behaviour of these roles: a few words for menus, and the sentence for a person. It counts as a fault, the run
    /// decides all the same, and no invariant falls.
    const fn of(roles: &'static [Role], title: &'static str, sentence: &'static str) -> Self {
        Description { title, roles, omits: false, expect: Expect { fires: &[], decides: true, breaks: &[], sentence } }
    }

    const fn fires(mut self, rules: &'static [&'static str]) -> Self {
        self.expect.fires = rules;
        self
    }

    /// The run does not get to where it was going.
    const fn stops(mut self) -> Self {
        self.expect.decides = false;
        self
    }

    /// It only leaves things out.
    const fn omits(mut self) -> Self {
        self.omits = true;
        self
    }
}

/// Whether the honest state machine sees an input.
#[derive(Clone, Debug)]
pub enum Pass {
    On,
    Swallow,
    /// It sees another packet from the same sender.
    Instead(Packet),
    /// It reads another meter.
    Misread(PlantEvent),
}

/// A packet that the honest state machine wants to send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub output: Output,
    pub info: PacketInfo,
    /// The trigger holds for it.
    pub strikes: bool,
}

impl Outgoing {
    pub fn packet(&self) -> Option<&Packet> {
        match &self.output {
            Output::Send { packet, .. } | Output::Fan { packet, .. } => Some(packet),
            _ => None,
        }
    }

    /// The message of agreement, if it is one.
    pub fn message(&self) -> Option<&Arc<Message>> {
        match self.packet() {
            Some(Packet::Pbft(message)) => Some(message),
            _ => None,
        }
    }
}

/// When a behaviour strikes.
#[derive(Clone, Debug)]
pub struct Aim {
    when: Trigger,
    /// For `twins`: who hears which body, view by view.
    hears: Vec<Split>,
    /// How often the trigger was asked.
    asked: u32,
}

impl Aim {
    /// Asks the trigger about this moment, or about a packet.
    pub fn strikes(&mut self, cx: &mut Cx<'_, '_>, packet: Option<&PacketInfo>) -> bool {
        let strikes = self.when.strikes(cx.now, packet, self.asked, cx.rng);
        self.asked = self.asked.saturating_add(1);
        strikes
    }
}

/// What a Byzantine actor does around its honest state machine. Worlds are cloned, so every behaviour can be.
pub trait Behaviour: CloneBehaviour + Send + Sync {
    /// Before the honest state machine sees an input.
    fn on_input(&mut self, _cx: &mut Cx<'_, '_>, _aim: &mut Aim, _input: &Input<'_>) -> Pass {
        Pass::On
    }

    /// For each packet that the honest state machine sends: what leaves in its place.
    fn on_send(&mut self, _cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        out.push(message.output);
    }

    /// After each step: what leaves besides.
    fn after(&mut self, _cx: &mut Cx<'_, '_>, _aim: &mut Aim, _out: &mut Vec<Output>) {}

    /// A timer of its own ([`Cx::tick`]) has run out.
    fn on_tick(&mut self, _cx: &mut Cx<'_, '_>, _tick: u64, _out: &mut Vec<Output>) {}
}

/// Lets boxed behaviours be cloned.
pub trait CloneBehaviour {
    fn boxed(&self) -> Box<dyn Behaviour>;
}

impl<T: Behaviour + Clone + 'static> CloneBehaviour for T {
    fn boxed(&self) -> Box<dyn Behaviour> {
        Box::new(self.clone())
    }
}

/// A behaviour at work.
pub struct Wrapper {
    kind: BehaviourKind,
    aim: Aim,
    behaviour: Box<dyn Behaviour>,
}

impl Clone for Wrapper {
    fn clone(&self) -> Self {
        Wrapper { kind: self.kind, aim: self.aim.clone(), behaviour: self.behaviour.boxed() }
    }
}

impl Wrapper {
    pub fn new(behave: &Behave) -> Self {
        let (kind, when, hears) = (behave.kind, behave.when.clone(), behave.hears.clone());
        Wrapper { kind, aim: Aim { when, hears, asked: 0 }, behaviour: kind.start() }
    }

    pub fn kind(&self) -> BehaviourKind {
        self.kind
    }

    /// Before the honest state machine.
    pub fn on_input(&mut self, cx: &mut Cx<'_, '_>, input: &Input<'_>) -> Pass {
        self.behaviour.on_input(cx, &mut self.aim, input)
    }

    /// After it: what really leaves.
    pub fn on_outputs(&mut self, cx: &mut Cx<'_, '_>, outputs: &mut Vec<Output>) {
        for output in core::mem::take(outputs) {
            let (Output::Send { packet, .. } | Output::Fan { packet, .. }) = &output else {
                outputs.push(output);
                continue;
            };
            let info = describe(&cx.setup.params, ItemId(0), packet);
            let strikes = self.aim.strikes(cx, Some(&info));
            self.behaviour.on_send(cx, Outgoing { output, info, strikes }, outputs);
        }
        self.behaviour.after(cx, &mut self.aim, outputs);
    }

    /// One of its own timers has run out.
    pub fn on_tick(&mut self, cx: &mut Cx<'_, '_>, tick: u64, outputs: &mut Vec<Output>) {
        self.behaviour.on_tick(cx, tick, outputs);
    }
}
