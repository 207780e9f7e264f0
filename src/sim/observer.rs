//! Turns what actors say into effects with their premises, so that "why?" is a walk back (CONSENSUS.md §4.8,
//! WORLD.md §8).
//!
//! `cause` is the arrival that led to the step; `needs` are the other premises, found here from earlier effects alone. The
//! observer influences nothing: the same run without it would do the same.

use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::{FactKind, Rule, VoteKind};
use crate::ledger::{Digest, Micros};
use crate::sim::trace::{Effect, EffectId, Kind, PacketTag};
use std::collections::BTreeMap;

/// Actor, view, seq.
type Slot = (ActorId, u64, u64);

/// Executed slots between two times that their votes are forgotten.
const PRUNE_EVERY: u64 = 64;

/// An effect before it has its number and its premises.
#[derive(Clone, Debug)]
pub struct Draft {
    pub actor: Option<ActorId>,
    pub kind: Kind,
    pub cause: Option<EffectId>,
    pub rule: Option<Rule>,
}

/// What a slot's later facts rest on, at one actor and in one view.
#[derive(Clone, Default, Debug)]
struct Votes {
    pre_prepared: Option<EffectId>,
    prepared: Option<EffectId>,
    counted: Vec<(VoteKind, Digest, EffectId)>,
}

impl Votes {
    /// The first so many for this digest.
    fn of(&self, vote: VoteKind, digest: Digest, count: usize) -> impl Iterator<Item = EffectId> {
        let these = self.counted.iter().filter(move |(kind, of, _)| (*kind, *of) == (vote, digest));
        these.map(|(_, _, id)| *id).take(count)
    }
}

/// What earlier effects later ones may rest on.
#[derive(Clone, Debug)]
pub struct Observer {
    /// Size of a strong quorum.
    strong: usize,
    next: u32,
    step: u64,
    now: Micros,
    /// First ID record issued to each actor that genesis pins.
    registered: BTreeMap<ActorId, EffectId>,
    /// Owner of each record.
    owners: BTreeMap<Digest, ActorId>,
    requested: BTreeMap<ActorId, EffectId>,
    listed: BTreeMap<ActorId, EffectId>,
    uploaded: BTreeMap<(ActorId, Digest), EffectId>,
    planned: BTreeMap<ActorId, (EffectId, Vec<Digest>)>,
    offered: BTreeMap<ActorId, EffectId>,
    attached: BTreeMap<ActorId, EffectId>,
    plugged: BTreeMap<ActorId, (EffectId, ActorId)>,
    /// Records addressed by a σ of flow 1.
    receivers: BTreeMap<Digest, Vec<Digest>>,
    /// Arrivals of packets about a σ, per actor.
    arrived: BTreeMap<(ActorId, Digest), Vec<EffectId>>,
    slots: BTreeMap<Slot, Votes>,
    committed: BTreeMap<(ActorId, u64), EffectId>,
    executed: BTreeMap<(ActorId, u64), EffectId>,
    appended: BTreeMap<(ActorId, u64), EffectId>,
    /// VIEW-CHANGEs for a view at an actor, its own included.
    view_changes: BTreeMap<(ActorId, u64), Vec<EffectId>>,
    released: BTreeMap<(ActorId, Digest), EffectId>,
    /// Newest command opened at an actor, and newest reading of a transaction.
    opened: BTreeMap<ActorId, EffectId>,
    metered: BTreeMap<(ActorId, u64), EffectId>,
}

impl Observer {
    /// An observer of gateways whose strong quorum is `strong`.
    pub fn new(strong: u16) -> Self {
        Observer {
            strong: usize::from(strong),
            next: 0,
            step: 0,
            now: Micros(0),
            registered: BTreeMap::new(),
            owners: BTreeMap::new(),
            requested: BTreeMap::new(),
            listed: BTreeMap::new(),
            uploaded: BTreeMap::new(),
            planned: BTreeMap::new(),
            offered: BTreeMap::new(),
            attached: BTreeMap::new(),
            plugged: BTreeMap::new(),
            receivers: BTreeMap::new(),
            arrived: BTreeMap::new(),
            slots: BTreeMap::new(),
            committed: BTreeMap::new(),
            executed: BTreeMap::new(),
            appended: BTreeMap::new(),
            view_changes: BTreeMap::new(),
            released: BTreeMap::new(),
            opened: BTreeMap::new(),
            metered: BTreeMap::new(),
        }
    }

    /// Number of effects so far.
    pub fn effects(&self) -> u32 {
        self.next
    }

    /// From here on effects belong to this step and time.
    pub fn begin(&mut self, step: u64, now: Micros) {
        self.step = step;
        self.now = now;
    }

    /// Numbers an effect and finds its premises.
    pub fn effect(&mut self, draft: Draft) -> Effect {
        let id = EffectId(self.next);
        self.next += 1;
        let mut needs = match (&draft.kind, draft.actor) {
            (Kind::Fact(fact), Some(actor)) => self.needs(actor, fact, draft.cause),
            _ => Vec::new(),
        };
        needs.retain(|need| Some(*need) != draft.cause);
        needs.sort_unstable();
        needs.dedup();
        self.remember(id, &draft);
        let Draft { actor, kind, cause, rule } = draft;
        Effect { id, step: self.step, t: self.now, actor, kind, cause, needs, rule }
    }

    fn needs(&self, actor: ActorId, fact: &FactKind, cause: Option<EffectId>) -> Vec<EffectId> {
        use FactKind as F;
        let one = |id: Option<&EffectId>| id.copied().into_iter().collect::<Vec<_>>();
        match fact {
            F::GenesisMade { .. } => self.registered.values().copied().collect(),
            F::KeyAccepted { .. } | F::KeyRefused { .. } => one(self.requested.get(&actor)),
            F::Planned { lines } => {
                let uploads = lines.iter().filter_map(|line| self.uploaded.get(&(actor, line.rid)));
                self.listed.get(&actor).into_iter().chain(uploads).copied().collect()
            }
            F::Signcrypted { flow: 1 | 6, .. } => one(self.planned.get(&actor).map(|(id, _)| id)),
            F::Signcrypted { flow: 4 | 5, .. } => one(self.offered.get(&actor)),
            F::Routed { sigma, .. } => self.routed(actor, sigma),
            F::Prepared { view, seq, digest } => {
                let Some(slot) = self.slots.get(&(actor, *view, *seq)) else { return Vec::new() };
                slot.pre_prepared.into_iter().chain(slot.of(VoteKind::Prepare, *digest, self.strong - 1)).collect()
            }
            F::Committed { view, seq, digest } => {
                let Some(slot) = self.slots.get(&(actor, *view, *seq)) else { return Vec::new() };
                slot.prepared.into_iter().chain(slot.of(VoteKind::Commit, *digest, self.strong)).collect()
            }
            F::Executed { seq, .. } => one(self.committed.get(&(actor, *seq))),
            F::BlockAppended { height, .. } => one(self.executed.get(&(actor, *height))),
            F::Sealed { height, .. } | F::Published { height, .. } => one(self.appended.get(&(actor, *height))),
            F::NewView { view, .. } => {
                let all = self.view_changes.get(&(actor, *view)).map_or(&[][..], Vec::as_slice);
                // Only the new primary rests on the others' VIEW-CHANGEs; a backup's cause is the NEW-VIEW.
                let leads = cause.is_none_or(|cause| all.contains(&cause));
                all.iter().take(if leads { self.strong } else { 1 }).copied().collect()
            }
            F::Complained { sigma, .. } => one(self.released.get(&(actor, *sigma))),
            F::Judged { height, .. } => one(self.appended.get(&(actor, *height))),
            F::KeyReleased { .. } => one(self.plugged.get(&actor).map(|(id, _)| id)),
            F::Located { sigma, .. } | F::NotAReceiver { sigma } | F::Authenticated { sigma, .. } => {
                self.key_for(actor, sigma)
            }
            F::Opened { sigma, flow: 1, .. } => self.key_for(actor, sigma),
            F::Commanded { .. } | F::Dispatched { .. } => one(self.opened.get(&actor)),
            F::Metered { transaction, .. } | F::Billed { transaction, .. } => {
                let reading = self.metered.get(&(actor, *transaction));
                self.opened.get(&actor).into_iter().chain(reading).copied().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Both packets about σ, and the attachment of every car it is for.
    fn routed(&self, actor: ActorId, sigma: &Digest) -> Vec<EffectId> {
        let receivers = self.receivers.get(sigma).into_iter().flatten();
        let attached = receivers.filter_map(|rid| self.attached.get(self.owners.get(rid)?));
        self.arrived.get(&(actor, *sigma)).into_iter().flatten().chain(attached).copied().collect()
    }

    /// The release of σ's key by the car that stands at this pile.
    fn key_for(&self, pile: ActorId, sigma: &Digest) -> Vec<EffectId> {
        let cars = self.plugged.iter().filter(|(_, (_, cp))| *cp == pile);
        cars.filter_map(|(ev, _)| self.released.get(&(*ev, *sigma))).copied().collect()
    }

    fn remember(&mut self, id: EffectId, draft: &Draft) {
        let Some(actor) = draft.actor else { return };
        match &draft.kind {
            Kind::Sent { packet, .. } if packet.tag == PacketTag::Request => {
                self.requested.insert(actor, id);
            }
            Kind::Delivered { packet, .. } => {
                // Only the KGC waits for two packets about one σ.
                if let Some(sigma) = packet.sigma.filter(|_| actor.role == Role::Kgc) {
                    self.arrived.entry((actor, sigma)).or_default().push(id);
                }
                match (packet.tag, packet.slot) {
                    (PacketTag::Offer, _) => {
                        self.offered.insert(actor, id);
                    }
                    (PacketTag::ViewChange, Some((view, _))) => {
                        self.view_changes.entry((actor, view)).or_default().push(id);
                    }
                    _ => {}
                }
            }
            Kind::Fact(fact) => self.remember_fact(id, actor, fact),
            _ => {}
        }
    }

    /// Votes for slots that were executed long ago are premises of nothing new.
    fn forget_slots(&mut self, actor: ActorId, until: u64) {
        let mine = self.slots.range((actor, 0, 0)..=(actor, u64::MAX, u64::MAX));
        let old: Vec<Slot> = mine.map(|(slot, _)| *slot).filter(|slot| slot.2 <= until).collect();
        old.iter().for_each(|slot| {
            self.slots.remove(slot);
        });
        let kept = (actor, 0)..=(actor, until);
        for book in [&mut self.committed, &mut self.executed] {
            let old = book.range(kept.clone()).map(|(key, _)| *key).collect::<Vec<_>>();
            old.iter().for_each(|key| {
                book.remove(key);
            });
        }
    }

    fn remember_fact(&mut self, id: EffectId, actor: ActorId, fact: &FactKind) {
        use FactKind as F;
        match fact {
            F::Registered { of, class: 1, .. } if of.role != Role::Ev => {
                self.registered.entry(*of).or_insert(id);
            }
            F::KeyAccepted { rid, .. } => {
                self.owners.insert(*rid, actor);
            }
            F::ListSent { csc, .. } => {
                self.listed.insert(*csc, id);
            }
            F::Uploaded { rid, .. } => {
                self.uploaded.insert((actor, *rid), id);
            }
            F::Planned { lines } => {
                self.planned.insert(actor, (id, lines.iter().map(|line| line.rid).collect()));
            }
            F::Signcrypted { sigma, flow: 1, .. } => {
                let rids = self.planned.get(&actor).map(|(_, rids)| rids.clone()).unwrap_or_default();
                self.receivers.insert(*sigma, rids);
            }
            F::Attached { ev, .. } => {
                self.attached.insert(*ev, id);
            }
            F::PluggedIn { cp } => {
                self.plugged.insert(actor, (id, *cp));
            }
            F::PrePrepared { view, seq, .. } => {
                self.slots.entry((actor, *view, *seq)).or_default().pre_prepared.get_or_insert(id);
            }
            F::VoteCounted { vote, view, seq, digest, .. } => {
                self.slots.entry((actor, *view, *seq)).or_default().counted.push((*vote, *digest, id));
            }
            F::Prepared { view, seq, .. } => {
                self.slots.entry((actor, *view, *seq)).or_default().prepared = Some(id);
            }
            F::Committed { seq, .. } => {
                self.committed.insert((actor, *seq), id);
            }
            F::Executed { seq, .. } => {
                self.executed.insert((actor, *seq), id);
            }
            F::BlockAppended { height, .. } => {
                self.appended.insert((actor, *height), id);
                if height.is_multiple_of(PRUNE_EVERY) {
                    self.forget_slots(actor, height.saturating_sub(PRUNE_EVERY));
                }
            }
            F::ViewChange { target, .. } => {
                self.view_changes.entry((actor, *target)).or_default().push(id);
            }
            F::KeyReleased { sigma } => {
                self.released.insert((actor, *sigma), id);
            }
            F::Opened { flow: 1..=3 | 7, error: None, .. } => {
                self.opened.insert(actor, id);
            }
            F::Metered { transaction, .. } => {
                self.metered.insert((actor, *transaction), id);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSS1: ActorId = ActorId::new(Role::Css, 0);

    fn fact(observer: &mut Observer, fact: FactKind) -> Effect {
        observer.effect(Draft { actor: Some(CSS1), kind: Kind::Fact(fact), cause: None, rule: None })
    }

    #[test]
    fn a_quorum_fact_rests_on_the_first_votes_of_its_digest() {
        let mut o = Observer::new(3);
        let (a, b) = (Digest([1; 32]), Digest([2; 32]));
        let pre = fact(&mut o, FactKind::PrePrepared { view: 0, seq: 1, digest: a, count: 1 }).id;
        let mut ids = Vec::new();
        for (index, digest) in [(1, a), (2, b), (3, a), (4, a)] {
            let from = ActorId::new(Role::Css, index);
            let vote = VoteKind::Prepare;
            let counted = FactKind::VoteCounted { vote, view: 0, seq: 1, digest, from, have: 1, need: 2 };
            ids.push(fact(&mut o, counted).id);
        }
        let prepared = fact(&mut o, FactKind::Prepared { view: 0, seq: 1, digest: a });
        assert_eq!(prepared.needs, [pre, ids[0], ids[2]]);
        let other = fact(&mut o, FactKind::Prepared { view: 1, seq: 1, digest: a });
        assert!(other.needs.is_empty());
    }

    #[test]
    fn a_command_rests_on_the_key_that_the_car_at_the_pile_released() {
        let mut o = Observer::new(3);
        let sigma = Digest([7; 32]);
        let mut say =
            |actor, fact| o.effect(Draft { actor: Some(actor), kind: Kind::Fact(fact), cause: None, rule: None });
        let (cp1, cp2) = (ActorId::new(Role::Cp, 0), ActorId::new(Role::Cp, 1));
        let ev1 = ActorId::new(Role::Ev, 0);
        say(ev1, FactKind::PluggedIn { cp: cp1 });
        let released = say(ev1, FactKind::KeyReleased { sigma }).id;
        assert_eq!(say(cp1, FactKind::Opened { sigma, flow: 1, error: None }).needs, [released]);
        assert!(say(cp2, FactKind::NotAReceiver { sigma }).needs.is_empty());
    }
}
