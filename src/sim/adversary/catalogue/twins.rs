//! One identity with two bodies (CONSENSUS.md §5.3; Bano et al., *Twins: BFT Systems Made Robust*, OPODIS 2021): both run the
//! honest state machine under the same key, and neither knows of the other.
//!
//! Which gateways hear, and are heard by, which body is named for each view, or drawn for each. Of two twins each body is
//! linked with the same body of the other, for which they keep a list of who said what. The second body is made when
//! the trigger first holds; its facts are not told, as the actor's story is that of the first.

use super::prelude::*;
use crate::entities::Io;
use crate::sim::adversary::Split;
use rand_core::Rng;

#[derive(Clone, Copy, Debug)]
enum Body {
    First,
    Second,
}

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "is two gateways under one key",
    "The same key speaks with two minds: two votes for one slot, as if by one liar.",
)
.fires(&["EQ"]);

#[derive(Clone, Default)]
pub(super) struct Twins {
    twin: Option<Box<Entity>>,
    /// What the second body wants to send.
    said: Vec<Output>,
    /// Number of the behaviour's own timer for each timer of the second body.
    timers: BTreeMap<TimerId, u64>,
    set: u64,
    /// Who hears which body, as the scenario names it.
    named: Vec<Split>,
    /// Who hears the first and the second body, by view, as drawn.
    masks: BTreeMap<u64, (u128, u128)>,
}

impl Behaviour for Twins {
    fn on_input(&mut self, cx: &mut Cx<'_, '_>, aim: &mut Aim, input: &Input<'_>) -> Pass {
        if self.twin.is_none() && cx.replica().is_some() && aim.strikes(cx, None) {
            self.twin = Some(Box::new(cx.entity.clone()));
            self.named = aim.hears.clone();
            cx.ring.doubles(ReplicaId(cx.me.index));
        }
        let Input::Deliver { from, packet } = input else { return Pass::On };
        if self.twin.is_some() && self.takes(cx, Body::Second, *from, packet) {
            self.step(cx, *input);
        }
        let first = self.twin.is_none() || self.takes(cx, Body::First, *from, packet);
        if first { Pass::On } else { Pass::Swallow }
    }

    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        match self.twin.is_some() {
            true => out.extend(self.filtered(cx, Body::First, message.output)),
            false => out.push(message.output),
        }
    }

    fn after(&mut self, _cx: &mut Cx<'_, '_>, _aim: &mut Aim, out: &mut Vec<Output>) {
        out.append(&mut self.said);
    }

    fn on_tick(&mut self, cx: &mut Cx<'_, '_>, tick: u64, out: &mut Vec<Output>) {
        let due = self.timers.iter().find(|(_, set)| **set == tick).map(|(timer, _)| *timer);
        if let Some(timer) = due {
            self.timers.remove(&timer);
            self.step(cx, Input::Timer(timer));
            out.append(&mut self.said);
        }
    }
}

impl Twins {
    /// Masks of a view. If none are named, every gateway hears one body, and one in four both.
    fn masks(&mut self, cx: &mut Cx<'_, '_>, view: u64) -> (u128, u128) {
        if !self.named.is_empty() {
            let word = usize::try_from(view).ok().and_then(|view| self.named.get(view));
            return word.copied().unwrap_or(Split::WHOLE).masks();
        }
        let rng = &mut *cx.rng;
        *self.masks.entry(view).or_insert_with(|| {
            let mut draw = || u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64());
            let (split, both) = (draw(), draw() & draw());
            (split | both, !split | both)
        })
    }

    fn hears(&mut self, cx: &mut Cx<'_, '_>, body: Body, peer: NodeId) -> bool {
        let entity = match (body, &self.twin) {
            (Body::Second, Some(twin)) => twin,
            _ => &*cx.entity,
        };
        let view = match entity {
            Entity::Css(css) => css.replica().map_or(0, |replica| replica.level().view.0),
            _ => 0,
        };
        let masks = self.masks(cx, view);
        let mask = if matches!(body, Body::First) { masks.0 } else { masks.1 };
        mask >> (peer.0 % 128) & 1 == 1
    }

    /// Whether a packet is for this body.
    fn takes(&mut self, cx: &mut Cx<'_, '_>, body: Body, from: NodeId, packet: &Packet) -> bool {
        let gateway = from.0 < cx.setup.n;
        let of_twin = gateway && cx.ring.is_double(ReplicaId(from.0));
        let linked = match signed(packet).filter(|_| of_twin) {
            Some(signed) => cx.ring.said(signed, body as usize),
            None => true,
        };
        linked && (!gateway || self.hears(cx, body, from))
    }

    /// What really leaves of a packet of one body.
    fn filtered(&mut self, cx: &mut Cx<'_, '_>, body: Body, output: Output) -> Option<Output> {
        let n = cx.setup.n;
        if let Output::Send { packet, .. } | Output::Fan { packet, .. } = &output
            && let Some(signed) = signed(packet)
        {
            cx.ring.says(signed, body as usize);
        }
        match output {
            Output::Fan { to, packet } => {
                let to: Arc<[NodeId]> =
                    to.iter().copied().filter(|to| to.0 >= n || self.hears(cx, body, *to)).collect();
                Some(Output::Fan { to, packet })
            }
            Output::Send { to, .. } if to.0 < n && !self.hears(cx, body, to) => None,
            other => Some(other),
        }
    }

    /// The second body reacts.
    fn step(&mut self, cx: &mut Cx<'_, '_>, input: Input<'_>) {
        let Some(mut twin) = self.twin.take() else { return };
        let mut outputs = Vec::new();
        twin.step(cx.now, input, &mut Io { bench: cx.bench, rng: cx.rng, out: &mut outputs });
        self.twin = Some(twin);
        for output in outputs {
            match output {
                Output::SetTimer { timer, after } => {
                    self.set += 1;
                    self.timers.insert(timer, self.set);
                    cx.tick(after.0, self.set);
                }
                Output::CancelTimer(timer) => {
                    self.timers.remove(&timer);
                }
                Output::Send { .. } | Output::Fan { .. } => {
                    let output = self.filtered(cx, Body::Second, output);
                    self.said.extend(output);
                }
                Output::Persist(_) | Output::Record(_) | Output::Power { .. } | Output::Fact { .. } => {}
            }
        }
    }
}

/// The statement in a packet of agreement, if it has one.
fn signed(packet: &Packet) -> Option<&Signed> {
    match packet {
        Packet::Pbft(message) => message.signed().map(|(_, signed)| signed),
        _ => None,
    }
}
