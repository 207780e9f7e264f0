//! The pool of verified ciphertexts that wait for a block, oldest first (CONSENSUS.md §3.4).
//!
//! Only the oldest `active` items have deadlines: overload delays, it must not depose a correct primary.

use crate::ledger::{Digest, Micros, Secs, Sigma, State};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One waiting ciphertext.
#[derive(Clone, Debug)]
pub struct Item {
    pub sigma: Arc<Sigma>,
    /// In a data set to the primary of this view.
    pub sent: bool,
    /// Known to all gateways, as far as we can do anything about it.
    pub relayed: bool,
    /// Since when it waits to be relayed.
    pub clock: Micros,
    active: bool,
    /// When a backup gives up on the primary; none if it expires first.
    pub deadline: Option<Micros>,
}

/// First in, first out; ids are unique.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    items: BTreeMap<u64, Item>,
    ids: BTreeMap<Digest, u64>,
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

    pub fn insert(&mut self, sigma: Arc<Sigma>, relayed: bool, now: Micros) {
        if self.contains(&sigma.id) {
            return;
        }
        self.ids.insert(sigma.id, self.next);
        let item = Item { sigma, sent: false, relayed, clock: now, active: false, deadline: None };
        self.items.insert(self.next, item);
        self.next += 1;
    }

    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Item> {
        self.items.values_mut()
    }

    /// The items with obligations, oldest first.
    pub fn active(&self) -> impl Iterator<Item = &Item> {
        self.items.values().filter(|i| i.active)
    }

    fn retain(&mut self, keep: impl Fn(&Item) -> bool) -> Vec<Arc<Sigma>> {
        let gone: Vec<(u64, Arc<Sigma>)> =
            self.items.iter().filter(|(_, i)| !keep(i)).map(|(at, i)| (*at, i.sigma.clone())).collect();
        for (at, sigma) in &gone {
            self.items.remove(at);
            self.ids.remove(&sigma.id);
        }
        gone.into_iter().map(|(_, sigma)| sigma).collect()
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
}
