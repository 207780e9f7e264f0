//! Gateways that share their keys and their plans (CONSENSUS.md §5.2 `colluding_set`).
//!
//! A gateway joins by itself and with its own key; no key of a gateway that has not joined is ever here.

use crate::pbft::{ReplicaId, Sig, Signed, Signer, Statement};
use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Statements of twins that are kept for certain.
const REMEMBERED: usize = 4_096;

/// Keys and blackboard of the gateways that collude.
#[derive(Clone, Default)]
pub struct Ring {
    keys: BTreeMap<ReplicaId, Arc<dyn Signer>>,
    /// Slots (view, seq) that are forked by plan: the members' honest votes there are kept back.
    pub forked: BTreeSet<(u64, u64)>,
    /// By which bodies of twins, the first and the second, a statement was said to a gateway that lives twice as well.
    said: BTreeMap<Sig, [bool; 2]>,
    /// The same of statements long ago, which have arrived where they will.
    said_before: BTreeMap<Sig, [bool; 2]>,
    twins: BTreeSet<ReplicaId>,
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").field("members", &self.keys.keys()).field("forked", &self.forked).finish()
    }
}

impl Ring {
    pub fn join(&mut self, who: ReplicaId, key: Arc<dyn Signer>) {
        self.keys.insert(who, key);
    }

    pub fn members(&self) -> impl Iterator<Item = ReplicaId> {
        self.keys.keys().copied()
    }

    pub fn contains(&self, who: ReplicaId) -> bool {
        self.keys.contains_key(&who)
    }

    /// A gateway lives twice from here on.
    pub fn doubles(&mut self, who: ReplicaId) {
        self.twins.insert(who);
    }

    pub fn is_double(&self, who: ReplicaId) -> bool {
        self.twins.contains(&who)
    }

    /// The first or second body of a twin says it to another twin.
    pub fn says(&mut self, signed: &Signed, body: usize) {
        if self.said.len() >= REMEMBERED {
            self.said_before = core::mem::take(&mut self.said);
        }
        let before = self.said_before.get(&signed.sig).copied().unwrap_or_default();
        if let Some(said) = self.said.entry(signed.sig).or_insert(before).get_mut(body) {
            *said = true;
        }
    }

    /// Whether the first or second body of a twin said it to another; true for what neither was seen to say.
    pub fn said(&self, signed: &Signed, body: usize) -> bool {
        let said = self.said.get(&signed.sig).or_else(|| self.said_before.get(&signed.sig));
        said.and_then(|said| said.get(body).copied()).unwrap_or(true)
    }

    /// A statement under the key of its sender; `None` if the sender is no member.
    pub fn sign(&self, statement: Statement) -> Option<Signed> {
        self.keys.get(&statement.sender).map(|key| Signed { statement, sig: key.sign(&statement) })
    }
}
