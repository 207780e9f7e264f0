//! What survives a crash: the records a replica persisted, folded (CONSENSUS.md §3.3, §3.11).
//!
//! A record is durable before anything after it in the same step leaves the replica, so nothing that was said can be
//! forgotten. This is a fold over records; it must not decide anything.

use super::certificate::{CommitCertificate, Prepared, Snapshot, StableProof};
use super::io::Record;
use super::message::{Kind, NewView, ViewChange};
use super::types::{Just, View};
use crate::ledger::{Block, Digest, Proposal, Seq};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The durable store of one replica.
#[derive(Clone, Debug, Default)]
pub struct Durable {
    /// Latest vote per kind and slot, above the low mark.
    pub votes: BTreeMap<(Kind, Seq), (View, Digest, Just)>,
    pub bodies: BTreeMap<(Seq, Digest), Arc<Proposal>>,
    pub prepared: BTreeMap<Seq, Arc<Prepared>>,
    pub own_view_change: Option<Arc<ViewChange>>,
    pub new_view: Option<Arc<NewView>>,
    pub blocks: BTreeMap<Seq, (Arc<Block>, Arc<CommitCertificate>)>,
    pub stable: Option<Arc<StableProof>>,
    pub snapshot: Option<Arc<Snapshot>>,
}

impl Durable {
    /// Height of the chain it leads to.
    pub fn height(&self) -> Seq {
        let snapshot = self.snapshot.as_ref().map(|s| s.header.height);
        self.blocks.last_key_value().map(|(seq, _)| *seq).max(snapshot).unwrap_or_default()
    }

    /// Takes up the next record.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Vote { kind, view, seq, digest, just } => {
                self.votes.insert((*kind, *seq), (*view, *digest, *just));
            }
            Record::Body { seq, proposal } => {
                self.bodies.insert((*seq, proposal.digest()), proposal.clone());
            }
            Record::Prepared(cert) => {
                self.prepared.insert(cert.seq, cert.clone());
            }
            Record::OwnViewChange(vc) => self.own_view_change = Some(vc.clone()),
            Record::NewView(nv) => self.new_view = Some(nv.clone()),
            Record::Block { block, cert } => {
                self.blocks.insert(block.header.height, (block.clone(), cert.clone()));
            }
            Record::Stable(proof) => {
                let low = proof.seq;
                self.votes.retain(|(_, seq), _| *seq > low);
                self.bodies.retain(|(seq, _), _| *seq > low);
                self.prepared.retain(|seq, _| *seq > low);
                self.stable = Some(proof.clone());
            }
            Record::Snapshot(snapshot) => {
                let height = snapshot.header.height;
                let head = self.blocks.get(&height).is_some_and(|(block, _)| block.header == snapshot.header);
                if head {
                    self.blocks = self.blocks.split_off(&Seq(height.0 + 1));
                } else {
                    self.blocks.clear();
                }
                self.snapshot = Some(snapshot.clone());
            }
        }
    }
}
