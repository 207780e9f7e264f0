//! Slots, vote books and hold buffers (CONSENSUS.md §3.3, §3.6). It stores and counts; it decides nothing.

use super::certificate::{CommitCertificate, Prepared, Signatures};
use super::message::{Envelope, Kind, Message, Statement};
use super::quorum::{Quorum, ReplicaSet};
use super::types::{Just, ReplicaId, Sig, View};
use crate::ledger::codec::Writer;
use crate::ledger::proposal::null_digest;
use crate::ledger::{Digest, Micros, Proposal, Seq};
use crate::mutants::mutant;
use std::collections::BTreeMap;
use std::sync::Arc;

/// First vote per sender and who agrees, for one kind in the current view.
#[derive(Clone, Debug, Default)]
pub struct Votes {
    first: Vec<Option<(Digest, Just, Sig)>>,
    tally: Vec<(Digest, Just, ReplicaSet)>,
}

impl Votes {
    /// The vote already counted for `who`.
    pub fn of(&self, who: ReplicaId) -> Option<(Digest, Just)> {
        self.first.get(usize::from(who.0))?.map(|(digest, just, _)| (digest, just))
    }

    /// The vote already counted for `who`, with its signature.
    pub fn first_of(&self, who: ReplicaId) -> Option<(Digest, Just, Sig)> {
        *self.first.get(usize::from(who.0))?
    }

    /// Counts a first vote; a later one of the same sender is ignored.
    pub fn record(&mut self, who: ReplicaId, digest: Digest, just: Just, sig: Sig) {
        let at = usize::from(who.0);
        if self.first.len() <= at {
            self.first.resize(at + 1, None);
        }
        if self.first[at].is_some() {
            return;
        }
        self.first[at] = Some((digest, just, sig));
        match self.tally.iter_mut().find(|(d, j, _)| (*d, *j) == (digest, just)) {
            Some((_, _, set)) => {
                set.insert(who);
            }
            None => {
                let mut set = ReplicaSet::default();
                set.insert(who);
                self.tally.push((digest, just, set));
            }
        }
    }

    /// Who voted for exactly this.
    pub fn supporters(&self, digest: &Digest, just: &Just) -> ReplicaSet {
        if mutant!("pool-digests") {
            return ReplicaSet(self.tally.iter().fold(0, |all, (_, _, set)| all | set.0));
        }
        self.tally.iter().find(|(d, j, _)| (d, j) == (digest, just)).map_or(ReplicaSet::default(), |(_, _, set)| *set)
    }

    /// The first `need` signatures for exactly this, ascending; `None` if there are fewer.
    pub fn certificate(&self, digest: &Digest, just: &Just, need: u16) -> Option<Signatures> {
        let set = self.supporters(digest, just);
        let sig = |who: ReplicaId| Some((who, self.first.get(usize::from(who.0))?.as_ref()?.2));
        (set.count() >= need).then(|| set.iter().filter_map(sig).take(usize::from(need)).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.tally.is_empty()
    }

    /// Writes who voted for what, signatures apart.
    pub fn write_digest_of(&self, w: &mut Writer, quorum: Quorum) {
        for who in quorum.all() {
            let (digest, just) = self.of(who).unwrap_or_default();
            w.digest(&digest).digest(&just);
        }
    }
}

/// A pre-prepare accepted in the current view.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    pub view: View,
    pub digest: Digest,
    pub just: Just,
    pub sig: Sig,
    /// When a backup gives up on the slot.
    pub deadline: Micros,
}

/// One position of the order.
#[derive(Clone, Debug, Default)]
pub struct Slot {
    pub pp: Option<Accepted>,
    /// Bodies voted for or fetched, kept for later readers of a NEW-VIEW.
    pub bodies: BTreeMap<Digest, Arc<Proposal>>,
    pub prepares: Votes,
    pub commits: Votes,
    /// Of the highest view in which the slot prepared here; survives views.
    pub prepared: Option<Arc<Prepared>>,
    pub committed: Option<Arc<CommitCertificate>>,
}

impl Slot {
    /// Forgets what belongs to the view that ends.
    pub fn leave_view(&mut self) {
        self.pp = None;
        self.prepares = Votes::default();
        self.commits = Votes::default();
    }

    /// Something was accepted or counted for it.
    pub fn touched(&self) -> bool {
        self.pp.is_some() || !self.prepares.is_empty() || !self.commits.is_empty()
    }

    /// The accepted proposal is there with its ciphertexts (the null one has none).
    pub fn complete(&self) -> bool {
        self.pp.is_some_and(|pp| pp.digest == null_digest()) || self.body().is_some() || mutant!("blind")
    }

    /// Body of the accepted pre-prepare.
    pub fn body(&self) -> Option<&Arc<Proposal>> {
        self.bodies.get(&self.pp.as_ref()?.digest)
    }
}

/// A vote that came too early, with the time it came.
#[derive(Clone, Debug)]
pub struct Held {
    pub envelope: Envelope,
    pub sender: ReplicaId,
    pub kind: Kind,
    pub view: View,
    pub seq: Seq,
    pub arrived: Micros,
}

impl Held {
    /// Bytes it keeps alive, about.
    fn bytes(&self) -> u64 {
        match &*self.envelope.msg {
            Message::PrePrepare(_, proposal) => proposal.txs.iter().map(|tx| tx.bytes().len() as u64).sum(),
            _ => Statement::LEN as u64 + 64,
        }
    }

    fn same(&self, other: &Held) -> bool {
        (self.kind, self.view, self.seq) == (other.kind, other.view, other.seq)
    }
}

/// How much of one sender may be held.
#[derive(Clone, Copy, Debug)]
pub struct HoldLimit {
    pub items: usize,
    pub bytes: u64,
}

/// All slots above the stable checkpoint, and what waits for a later view or window.
#[derive(Clone, Debug, Default)]
pub struct Log {
    pub slots: BTreeMap<Seq, Slot>,
    held: BTreeMap<ReplicaId, Vec<Held>>,
}

impl Log {
    pub fn slot(&self, seq: Seq) -> Option<&Slot> {
        self.slots.get(&seq)
    }

    pub fn slot_mut(&mut self, seq: Seq) -> &mut Slot {
        self.slots.entry(seq).or_default()
    }

    /// Slots above `executed` with an accepted pre-prepare.
    pub fn open(&self, executed: Seq) -> impl Iterator<Item = (Seq, &Slot, &Accepted)> {
        let above = Seq(executed.0.saturating_add(1));
        self.slots.range(above..).filter_map(|(seq, slot)| Some((*seq, slot, slot.pp.as_ref()?)))
    }

    /// Keeps a vote of a newer view (only the highest heard of this sender) or above the window; `false` if its sender's
    /// buffer is full, or already holds a newer view or such a vote.
    pub fn hold(&mut self, held: Held, current: View, limit: HoldLimit) -> bool {
        let buffer = self.held.entry(held.sender).or_default();
        if held.view > current {
            if buffer.iter().any(|h| h.view > held.view) {
                return false;
            }
            buffer.retain(|h| h.view <= current || h.view == held.view);
        }
        let bytes: u64 = buffer.iter().map(Held::bytes).sum();
        let room = buffer.len() < limit.items && bytes.saturating_add(held.bytes()) <= limit.bytes;
        let new = room && !buffer.iter().any(|h| h.same(&held));
        if new {
            buffer.push(held);
        }
        new
    }

    /// Drops everything about slots up to a stable one.
    pub fn forget(&mut self, low: Seq) {
        while self.slots.first_key_value().is_some_and(|(seq, _)| *seq <= low) {
            self.slots.pop_first();
        }
        for buffer in self.held.values_mut() {
            buffer.retain(|h| h.seq > low);
        }
    }

    /// Takes out what has become current and drops what is of older views.
    pub fn release(&mut self, view: View, high: Seq) -> Vec<Held> {
        let mut due = Vec::new();
        for buffer in self.held.values_mut() {
            if buffer.iter().any(|h| h.view < view || (h.view == view && h.seq <= high)) {
                let (now, later): (Vec<_>, Vec<_>) =
                    buffer.drain(..).filter(|h| h.view >= view).partition(|h| h.view == view && h.seq <= high);
                due.extend(now);
                *buffer = later;
            }
        }
        due
    }

    /// Writes what is held, for the digest of a replica.
    pub fn write_held(&self, w: &mut Writer) {
        for held in self.held.values().flatten() {
            if let Some((kind, signed)) = held.envelope.msg.signed() {
                let st = &signed.statement;
                w.u8(kind.code()).u16(st.sender.0).u64(st.view.0).u64(st.seq.0).digest(&st.digest).digest(&st.just);
            }
            w.u64(held.arrived.0);
        }
    }

    /// Bytes held of the sender of whom the most is held.
    pub fn held_bytes(&self) -> u64 {
        self.held.values().map(|buffer| buffer.iter().map(Held::bytes).sum()).max().unwrap_or(0)
    }

    /// Number of held votes.
    pub fn held(&self) -> usize {
        self.held.values().map(Vec::len).sum()
    }
}

impl Slot {
    /// Writes what distinguishes this slot from another state of it, signatures apart.
    pub fn write_digest_of(&self, w: &mut Writer, quorum: Quorum) {
        w.u8(u8::from(self.pp.is_some()));
        if let Some(pp) = &self.pp {
            w.u64(pp.view.0).digest(&pp.digest).u64(pp.deadline.0);
        }
        w.u32(self.bodies.len() as u32);
        for digest in self.bodies.keys() {
            w.digest(digest);
        }
        self.prepares.write_digest_of(w, quorum);
        self.commits.write_digest_of(w, quorum);
        w.u64(self.prepared.as_ref().map_or(0, |c| c.view.0 + 1));
        w.u64(self.committed.as_ref().map_or(0, |c| c.view.0 + 1));
    }
}
