//! The pool of verified ciphertexts that wait for a block (CONSENSUS.md §3.4): first in, first out, with one queue per
//! gateway that brought them.
//!
//! Only the oldest `active` items have deadlines: overload delays, it must not depose a correct primary. A contributor can
//! fill its own share only.

use super::quorum::ReplicaSet;
use super::types::ReplicaId;
use crate::ledger::codec::Writer;
use crate::ledger::{Digest, Micros, Secs, Sigma, State};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One waiting ciphertext.
#[derive(Clone, Debug)]
pub struct Item {
    pub sigma: Arc<Sigma>,
    /// Who brought it; this replica itself if it came from outside.
    offered: ReplicaSet,
    /// In a data set to the primary of this view.
    pub sent: bool,
    /// Known to all gateways, as far as we can do anything about it.
    pub relayed: bool,
    /// Since when it waits to be relayed.
    pub clock: Micros,
    /// Among the oldest, which have obligations.
    pub active: bool,
    /// When a backup gives up on the primary; none if it expires first.
    pub deadline: Option<Micros>,
}

/// Ids are unique; an item stands in the queue of everybody who brought it.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    items: BTreeMap<u64, Item>,
    ids: BTreeMap<Digest, u64>,
    queues: BTreeMap<ReplicaId, BTreeSet<u64>>,
    next: u64,
}

impl Pool {
    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn contains(&self, id: &Digest) -> bool {
        self.ids.contains_key(id)
    }

    /// Whether exactly this one waits: an id covers the header only.
    pub fn holds(&self, sigma: &Sigma) -> bool {
        let item = self.ids.get(&sigma.id).and_then(|at| self.items.get(at));
        item.is_some_and(|item| item.sigma.bytes() == sigma.bytes())
    }

    /// Number of waiting ciphertexts that `from` brought.
    pub fn share(&self, from: ReplicaId) -> u64 {
        self.queues.get(&from).map_or(0, |queue| queue.len() as u64)
    }

    pub fn insert(&mut self, sigma: Arc<Sigma>, from: ReplicaId, relayed: bool, now: Micros) {
        if self.contains(&sigma.id) {
            return;
        }
        let id = sigma.id;
        self.ids.insert(id, self.next);
        let offered = ReplicaSet::default();
        let item = Item { sigma, offered, sent: false, relayed, clock: now, active: false, deadline: None };
        self.items.insert(self.next, item);
        self.next += 1;
        self.offer(&id, from);
    }

    /// Somebody else brought it too: whoever stuffs its own queue cannot keep a ciphertext back.
    pub fn offer(&mut self, id: &Digest, from: ReplicaId) {
        let Some((at, item)) = self.ids.get(id).and_then(|at| Some((*at, self.items.get_mut(at)?))) else { return };
        if item.offered.insert(from) {
            self.queues.entry(from).or_default().insert(at);
        }
    }

    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Item> {
        self.items.values_mut()
    }

    /// The items with obligations, oldest first: activity is given in this order, so they come before all others.
    pub fn active(&self) -> impl Iterator<Item = &Item> {
        self.items.values().take_while(|i| i.active)
    }

    /// The next item of a queue, from a cursor that it moves.
    pub fn next_of(&self, from: ReplicaId, cursor: &mut u64) -> Option<&Item> {
        let at = *self.queues.get(&from)?.range(*cursor..).next()?;
        *cursor = at + 1;
        self.items.get(&at)
    }

    fn retain(&mut self, keep: impl Fn(&Item) -> bool) -> Vec<Arc<Sigma>> {
        let gone: Vec<u64> = self.items.iter().filter(|(_, i)| !keep(i)).map(|(at, _)| *at).collect();
        gone.into_iter().filter_map(|at| self.remove(at)).collect()
    }

    fn remove(&mut self, at: u64) -> Option<Arc<Sigma>> {
        let item = self.items.remove(&at)?;
        self.ids.remove(&item.sigma.id);
        for who in item.offered.iter() {
            if let Some(queue) = self.queues.get_mut(&who) {
                queue.remove(&at);
            }
        }
        Some(item.sigma)
    }

    /// Drops what was executed, and what can no longer be because its ticket is spent.
    pub fn drop_executed(&mut self, state: &State) {
        self.retain(|i| state.taken(&i.sigma.nullifier).is_none());
    }

    /// Drops and returns what may no longer be accepted at `now`.
    pub fn drop_expired(&mut self, now: Secs) -> Vec<Arc<Sigma>> {
        self.retain(|i| i.sigma.expires >= now)
    }

    /// Gives the oldest `max` items their deadline; those that expire before `worth` get none.
    pub fn activate(&mut self, max: u64, deadline: Micros, worth: Secs) {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        for item in self.items.values_mut().take(max).filter(|i| !i.active) {
            item.active = true;
            item.deadline = (item.sigma.expires > worth).then_some(deadline);
        }
    }

    /// A new view: nothing was sent to its primary, all clocks and deadlines start anew.
    pub fn enter_view(&mut self, now: Micros) {
        for item in self.items.values_mut() {
            item.sent = false;
            item.active = false;
            item.deadline = None;
            item.clock = now;
        }
    }

    /// Writes all of it for the digest of a replica.
    pub fn write_digest_of(&self, w: &mut Writer) {
        for item in self.iter() {
            let flags = u8::from(item.sent) | u8::from(item.relayed) << 1 | u8::from(item.active) << 2;
            w.digest(&item.sigma.id).u8(flags).u64(item.clock.0).raw(&item.offered.0.to_le_bytes());
            w.u64(item.deadline.map_or(0, |d| d.0));
        }
    }
}
