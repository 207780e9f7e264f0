//! The replicated state and the one function that changes it (CONSENSUS.md §2.4).
//!
//! `apply` is total and deterministic: every replica that applies the same proposals in the same order gets the same
//! headers. It must never read a clock or anything that was not agreed on.

use super::block::{Block, BlockHeader, VoidReason, Voids, voids_digest};
use super::hash::c32;
use super::proposal::{Proposal, VERSION, null_digest, root_of_leaves};
use super::types::{Digest, Secs, Seq};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The agreed numbers that validity and pruning depend on; all inside `network_id`. Times in seconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    pub batch_max: u64,
    pub batch_bytes: u64,
    pub epoch_secs: u64,
    pub skew: u64,
    pub ttl_max: u64,
    pub max_lag: u64,
}

/// Who took a nullifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken {
    /// σ and the height of its block; unknown where the state came as a snapshot, which proves only the nullifier.
    pub by: Option<(Digest, Seq)>,
    pub epoch: u32,
}

/// Live nullifiers per epoch, ascending, each epoch's in the order in which they were taken.
pub type Nullifiers = Vec<(u32, Vec<Digest>)>;

/// The nullifiers of one epoch in order, and the running hash over them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Epoch {
    acc: Digest,
    /// In pieces of [`PIECE`]: full ones are shared with the states of earlier checkpoints.
    order: Vec<Arc<Vec<Digest>>>,
}

const PIECE: usize = 64;

impl Epoch {
    fn push(&mut self, nullifier: Digest) {
        match self.order.last_mut().filter(|piece| piece.len() < PIECE) {
            Some(piece) => Arc::make_mut(piece).push(nullifier),
            None => self.order.push(Arc::new(vec![nullifier])),
        }
    }

    fn nullifiers(&self) -> Vec<Digest> {
        self.order.iter().flat_map(|piece| piece.iter().copied()).collect()
    }
}

/// Nullifiers of the epochs that can still matter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State {
    epochs: BTreeMap<u32, Epoch>,
    /// By part of the nullifier: what has not changed since is shared with the states of earlier checkpoints.
    taken: BTreeMap<u8, Arc<BTreeMap<Digest, Taken>>>,
}

/// Into how many parts the live nullifiers are divided.
const PARTS: u8 = 64;

fn part(nullifier: &Digest) -> u8 {
    nullifier.0[0] % PARTS
}

impl State {
    /// The σ that took a live nullifier.
    pub fn taken(&self, nullifier: &Digest) -> Option<&Taken> {
        self.taken.get(&part(nullifier))?.get(nullifier)
    }

    /// Number of live nullifiers.
    pub fn live(&self) -> u64 {
        self.taken.values().map(|part| part.len() as u64).sum()
    }

    /// As much of the state as executing this proposal looks at: a copy of all of it would cost more with every block.
    pub(super) fn around(&self, proposal: Option<&Proposal>) -> State {
        let txs = proposal.into_iter().flat_map(|p| &p.txs);
        let met = txs.filter_map(|tx| Some((tx.nullifier, *self.taken(&tx.nullifier)?)));
        let running = self.epochs.iter().map(|(epoch, of)| (*epoch, Epoch { acc: of.acc, order: Vec::new() }));
        let mut state = State { epochs: running.collect(), taken: BTreeMap::new() };
        met.for_each(|(nullifier, taken)| state.remember(nullifier, taken));
        state
    }

    /// The state as lists, for a snapshot.
    pub fn nullifiers(&self) -> Nullifiers {
        self.epochs.iter().map(|(epoch, of)| (*epoch, of.nullifiers())).collect()
    }

    /// Inverse of [`State::nullifiers`]; whoever calls it compares [`State::nullacc`] with what was agreed.
    pub fn restore(lists: &Nullifiers) -> State {
        let mut state = State::default();
        for (epoch, order) in lists {
            for nullifier in order {
                state.take(*nullifier, Taken { by: None, epoch: *epoch }, |acc| with(acc, nullifier));
            }
        }
        state
    }

    fn take(&mut self, nullifier: Digest, taken: Taken, hash: impl Fn(&Digest) -> Digest) {
        let epoch = self.epochs.entry(taken.epoch).or_default();
        epoch.acc = hash(&epoch.acc);
        epoch.push(nullifier);
        self.remember(nullifier, taken);
    }

    fn remember(&mut self, nullifier: Digest, taken: Taken) {
        Arc::make_mut(self.taken.entry(part(&nullifier)).or_default()).insert(nullifier, taken);
    }

    /// Drops every epoch none of whose ciphertexts could pass verification any more.
    fn prune(&mut self, policy: &Policy, time: Secs) {
        let over = |epoch: u32| {
            let end = (u64::from(epoch) + 1).saturating_mul(policy.epoch_secs);
            end.saturating_add(policy.skew).saturating_add(policy.ttl_max).saturating_add(policy.max_lag) < time.0
        };
        if self.epochs.keys().any(|e| over(*e)) {
            self.epochs.retain(|epoch, _| !over(*epoch));
            self.taken.retain(|_, part| {
                Arc::make_mut(part).retain(|_, t| !over(t.epoch));
                !part.is_empty()
            });
        }
    }

    /// C32("nullacc"; for each live epoch ascending: epoch, running hash).
    pub fn nullacc(&self) -> Digest {
        accumulated(&self.accs())
    }

    /// Running hash of each live epoch, ascending.
    fn accs(&self) -> Vec<(u32, Digest)> {
        self.epochs.iter().map(|(epoch, of)| (*epoch, of.acc)).collect()
    }
}

/// The running hash of an epoch with one nullifier more.
fn with(acc: &Digest, nullifier: &Digest) -> Digest {
    c32("nullacc", &[&acc.0, &nullifier.0])
}

fn accumulated(accs: &[(u32, Digest)]) -> Digest {
    let parts: Vec<([u8; 4], [u8; 32])> = accs.iter().map(|(epoch, acc)| (epoch.to_le_bytes(), acc.0)).collect();
    let flat: Vec<&[u8]> = parts.iter().flat_map(|(e, acc)| [e.as_slice(), acc.as_slice()]).collect();
    c32("nullacc", &flat)
}

/// Executes slot `parent.height + 1` over `parent`, which comes with its digest; `None` is the null slot.
pub fn apply(
    policy: &Policy,
    state: &mut State,
    (parent, digest): (&BlockHeader, Digest),
    proposal: Option<&Arc<Proposal>>,
) -> Block {
    let height = Seq(parent.height.0.saturating_add(1));
    let time = proposal.map_or(parent.time, |p| parent.time.max(p.header.time));
    let mut voids = Voids::new();
    let mut applied = 0;
    if let Some(p) = proposal {
        let stale = p.header.time.0.saturating_add(policy.max_lag) < time.0;
        for (index, sigma) in (0u32..).zip(&p.txs) {
            if stale {
                voids.push((index, VoidReason::Stale));
            } else if state.taken(&sigma.nullifier).is_some() {
                voids.push((index, VoidReason::Duplicate));
            } else {
                let taken = Taken { by: Some((sigma.id, height)), epoch: sigma.epoch };
                state.take(sigma.nullifier, taken, |acc| sigma.taken.of(acc, |acc| with(acc, &sigma.nullifier)));
                applied += 1;
            }
        }
    }
    state.prune(policy, time);
    let header = BlockHeader {
        version: VERSION,
        network_id: parent.network_id,
        height,
        time,
        parent: digest,
        proposal: proposal.map_or_else(null_digest, |p| p.digest()),
        tx_root: proposal.map_or_else(|| root_of_leaves(&[]), |p| p.header.tx_root),
        count: proposal.map_or(0, |p| p.header.count),
        applied,
        voids: voids_digest(&voids),
        nullacc: proposal.map_or_else(|| state.nullacc(), |p| p.nullacc.of(&state.accs(), |accs| accumulated(accs))),
    };
    Block { header, proposal: proposal.cloned(), voids }
}
