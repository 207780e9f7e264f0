//! Faults of a scenario and interventions of a person (CONSENSUS.md §4.7).

use super::node::Arrival;
use super::{Event, Flying, World};
use crate::entities::actor::ActorId;
use crate::entities::{Entity, Genesis, Packet, Wish};
use crate::sim::adversary::Wrapper;
use crate::sim::intervention::{Action, Intervention};
use crate::sim::memo::Memo;
use crate::sim::trace::{DropReason, EffectId, Kind};
use std::sync::Arc;

impl World {
    /// Remembers genesis when the KGC hands it out: readers of the world and the benches of gateways need its keys.
    pub(super) fn note_genesis(&mut self, packet: &Packet) {
        let Packet::Letter(genesis) = packet else { return };
        if self.genesis.is_none() {
            self.keep_genesis(genesis.clone());
        }
    }

    pub(super) fn keep_genesis(&mut self, genesis: Arc<Genesis>) {
        let css = |actor: &ActorId| actor.role == crate::entities::actor::Role::Css;
        let keys = genesis.directory.iter().filter(|(actor, _)| css(actor)).map(|(_, record)| record.clone());
        self.gateways = keys.collect();
        self.genesis = Some(genesis);
    }

    pub(super) fn fault(&mut self, index: u16, memo: &mut Memo) {
        let scenario = self.scenario.clone();
        let index = usize::from(index);
        let action = match scenario.fault.get(index) {
            Some(fault) => fault.action.action(),
            None => match scenario.behaviour.get(index - scenario.fault.len()) {
                Some(behave) => Action::Behave(behave.clone()),
                None => return,
            },
        };
        // Who has crashed is not resumed, and who lives is not restarted: memory must fit what was carried out.
        if self.can(&action).is_ok() {
            self.act(&action, None, memo);
        }
    }

    /// The next intervention of the list, whose time has come.
    pub(super) fn apply_next(&mut self, memo: &mut Memo) {
        let index = self.applied;
        let Some(Intervention { action, .. }) = self.interventions.get(index).cloned() else { return };
        self.applied += 1;
        let possible = self.can(&action);
        let text = match &possible {
            Ok(()) => action.to_string(),
            Err(why) => format!("{action}: without effect, {why}"),
        };
        let cause = self.emit(None, Kind::Intervened { index: index as u32, text }, None, None);
        if possible.is_ok() {
            self.act(&action, Some(cause), memo);
        }
    }

    /// One sentence on why an action is not possible at this moment, if so.
    ///
    /// # Errors
    /// The sentence.
    pub fn can(&self, action: &Action) -> Result<(), String> {
        let node = |actor: &ActorId| {
            let node = self.node_of(*actor).ok_or_else(|| format!("there is no {actor}"))?;
            Ok::<_, String>(&self.nodes[usize::from(node)])
        };
        let alive = |actor: &ActorId| match node(actor)?.crashed() {
            true => Err(format!("{} has crashed", actor.label())),
            false => Ok(()),
        };
        match action {
            Action::Crash(a) | Action::Pause(a) => alive(a),
            Action::Resume(a) if !node(a)?.paused() => Err(format!("{} is not paused", a.label())),
            Action::Resume(_) | Action::Link(_) | Action::Release(_) => Ok(()),
            Action::Slow(s) => node(&s.node).map(|_| ()),
            Action::Skew(s) => node(&s.node).map(|_| ()),
            Action::Restart(a) | Action::RestartAmnesia(a) if !node(a)?.crashed() => {
                Err(format!("{} has not crashed", a.label()))
            }
            Action::Restart(_) | Action::RestartAmnesia(_) => Ok(()),
            Action::TornStep(torn) => alive(&torn.node),
            Action::Behave(b) => alive(&b.node),
            Action::Calm(a) => match self.node_of(*a).and_then(|n| self.wrapper(n)) {
                Some(_) => Ok(()),
                None => Err(format!("{} follows no Byzantine behaviour", a.label())),
            },
            Action::Complain(a) => {
                alive(a)?;
                match self.entity(*a) {
                    Some(Entity::Ev(ev)) if ev.complains_about().is_some() => Ok(()),
                    Some(Entity::Ev(_)) => Err(format!("{} was shown no ciphertext yet", a.label())),
                    _ => Err("only cars complain".into()),
                }
            }
            Action::OpenTicket(a) => {
                alive(a)?;
                match self.entity(*a) {
                    Some(Entity::Kgc(kgc)) if kgc.newest_ticket().is_some() => Ok(()),
                    Some(Entity::Kgc(_)) => Err("no ciphertext is stored yet".into()),
                    _ => Err("only the KGC knows who asked for a ticket".into()),
                }
            }
            Action::Drop(e) | Action::Deliver(e) | Action::Duplicate(e) => self.find(e.0).map(|_| ()),
            Action::Delay(d) => self.find(d.event.0).map(|_| ()),
            Action::Flip(f) => {
                let flying = self.find(f.event.0)?;
                let size = self.items[flying.item.0 as usize].info.size;
                if f.byte + 1 < size { Ok(()) } else { Err(format!("the message has only {} bytes", size - 1)) }
            }
        }
    }

    fn find(&self, sent: EffectId) -> Result<Flying, String> {
        let flying = self.queue.values().find_map(|event| match event {
            Event::Deliver(flying) if flying.sent == sent => Some(*flying),
            _ => None,
        });
        let held = || self.held.iter().map(|(flying, _)| *flying).find(|flying| flying.sent == sent);
        flying.or_else(held).ok_or_else(|| format!("message e{} is not on its way", sent.0))
    }

    /// Takes a message off its link, with the µs it still had to go.
    pub(super) fn take(&mut self, sent: EffectId) -> Option<(Flying, u64)> {
        let key = self.queue.iter().find_map(|(key, event)| match event {
            Event::Deliver(flying) if flying.sent == sent => Some(*key),
            _ => None,
        });
        if let Some(key) = key {
            let Some(Event::Deliver(flying)) = self.queue.remove(&key) else { return None };
            return Some((flying, key.0.0.saturating_sub(self.now.0)));
        }
        let at = self.held.iter().position(|(flying, _)| flying.sent == sent)?;
        Some(self.held.remove(at))
    }

    fn act(&mut self, action: &Action, cause: Option<EffectId>, memo: &mut Memo) {
        match action {
            Action::Crash(a) => self.with_node(*a, |world, node| world.crash(node, cause)),
            Action::Pause(a) => self.with_node(*a, |world, node| world.pause(node, cause)),
            Action::Resume(a) => self.with_node(*a, |world, node| world.resume(node, cause, memo)),
            Action::Restart(a) => self.with_node(*a, |world, node| world.restart(node, false, cause, memo)),
            Action::RestartAmnesia(a) => self.with_node(*a, |world, node| world.restart(node, true, cause, memo)),
            Action::TornStep(torn) => self.with_node(torn.node, |world, node| world.tear(node, torn.k)),
            Action::Behave(b) => {
                let wrapper = Wrapper::new(b);
                self.with_node(b.node, |world, node| world.behave(node, Some(wrapper), cause));
            }
            Action::Calm(a) => self.with_node(*a, |world, node| world.behave(node, None, cause)),
            Action::Complain(a) => {
                self.with_node(*a, |world, node| world.arrive(node, Arrival::Wish(Wish::Complain, cause), memo));
            }
            Action::OpenTicket(a) => {
                self.with_node(*a, |world, node| world.arrive(node, Arrival::Wish(Wish::OpenTicket, cause), memo));
            }
            Action::Link(rule) => self.links.add(rule.clone()),
            Action::Release(which) => {
                let held = core::mem::take(&mut self.held);
                for (flying, delay) in held {
                    let tag = self.items[flying.item.0 as usize].info.tag;
                    match which.covers(flying.from, flying.to, tag) {
                        true => self.after(delay, Event::Deliver(flying)),
                        false => self.held.push((flying, delay)),
                    }
                }
            }
            Action::Slow(s) => self.with_node(s.node, |world, node| world.slow(node, s.times, cause)),
            Action::Skew(s) => self.with_node(s.node, |world, node| world.skew(node, s.by, cause)),
            Action::Drop(e) => {
                if let Some((flying, _)) = self.take(e.0) {
                    self.dropped(flying, DropReason::Intervention);
                }
            }
            Action::Deliver(e) => {
                if let Some((flying, _)) = self.take(e.0) {
                    self.deliver(flying, memo);
                }
            }
            Action::Delay(d) => {
                if let Some((flying, left)) = self.take(d.event.0) {
                    let packet = self.items[flying.item.0 as usize].info;
                    let kind = Kind::Delayed { to: flying.to, packet, by_us: d.by_us };
                    self.emit(Some(flying.from), kind, cause, None);
                    self.after(left.saturating_add(d.by_us), Event::Deliver(flying));
                }
            }
            Action::Duplicate(e) => {
                if let Ok(flying) = self.find(e.0) {
                    let packet = self.items[flying.item.0 as usize].info;
                    let kind = Kind::Duplicated { to: flying.to, packet };
                    let sent = self.emit(Some(flying.from), kind, cause, None);
                    self.after(1_000, Event::Deliver(Flying { sent, ..flying }));
                }
            }
            Action::Flip(f) => {
                if let Some((flying, left)) = self.take(f.event.0) {
                    let flying = self.flipped(flying, f.byte, f.bit, cause);
                    self.after(left, Event::Deliver(flying));
                }
            }
        }
    }

    fn with_node(&mut self, actor: ActorId, act: impl FnOnce(&mut World, u16)) {
        if let Some(node) = self.node_of(actor) {
            act(self, node);
        }
    }

    // ---- for branches

    /// Takes the interventions of a branch that shares all that were applied here.
    pub(in crate::sim) fn adopt(&mut self, interventions: &[Intervention]) {
        self.interventions = interventions.into();
    }

    /// Drops interventions whose time has not come.
    pub(in crate::sim) fn forget_pending_interventions(&mut self) {
        self.interventions = self.interventions[..self.applied.min(self.interventions.len())].into();
    }

    /// Adds one that is due now or later.
    pub(in crate::sim) fn intervene(&mut self, intervention: Intervention) {
        let all: Vec<Intervention> = self.interventions.iter().cloned().chain([intervention]).collect();
        self.interventions = Arc::from(all);
    }
}
