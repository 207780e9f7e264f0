//! SI-6 and SI-10 (CONSENSUS.md §6): what correct gateways accept as proof is one, and what they execute is sound.
//!
//! Looked at where a gateway keeps it, at the effect that says it was accepted. Signatures are checked again from the
//! pinned records, without the memory of verifications, for one certificate of [`SAMPLE`]; ciphertexts once per block.

use super::{Agreement, Finding, Sight};
use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::FactKind;
use crate::entities::packet::parse_sigma;
use crate::entities::{Bench, Entity};
use crate::ledger::block::BlockHeader;
use crate::ledger::proposal::root_of_leaves;
use crate::ledger::{Block, Digest, Proposal, Seq, Sigma};
use crate::pbft::certificate::{CommitCertificate, Prepared, Signatures, StableProof};
use crate::pbft::message::ViewChange;
use crate::pbft::types::Just;
use crate::pbft::{Config, Kind as Vote, Replica, ReplicaId, ReplicaSet, Sig, Statement, Verifier, View};
use crate::sim::memo::Memo;
use crate::sim::trace::{Effect, Kind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The first of so many certificates has its signatures checked.
const SAMPLE: u64 = 256;

/// SI-6 and SI-10 over all gateways of C.
#[derive(Clone, Default, Debug)]
pub struct Proofs {
    /// Certificates looked at.
    seen: u64,
    /// The VIEW-CHANGE of each gateway that was looked at last; all who hold it hold the same one.
    carried: BTreeMap<ReplicaId, Arc<ViewChange>>,
    /// Proposals whose content was checked, by digest.
    checked: BTreeMap<Digest, Arc<Proposal>>,
    /// Root and digest of proposals, by the digest that a block names.
    hashed: BTreeMap<Digest, (Arc<Proposal>, Digest, Digest)>,
    /// Nullifiers applied, per chain.
    applied: BTreeMap<ActorId, BTreeSet<Digest>>,
}

/// What the signatures of a certificate are about.
type Slot = (View, Seq, Digest, Just);

fn hold(condition: bool, text: &str) -> Result<(), String> {
    if condition { Ok(()) } else { Err(text.to_owned()) }
}

/// Right number of distinct gateways; `but` is not among them.
fn signers(cfg: &Config, sigs: &Signatures, need: u16, but: Option<ReplicaId>) -> Result<(), String> {
    let mut set = ReplicaSet::default();
    for (who, _) in sigs {
        hold(who.0 < cfg.quorum.n(), "has a signer from outside")?;
        hold(Some(*who) != but, "counts the primary among the prepares")?;
        hold(set.insert(*who), "counts a signer twice")?;
    }
    hold(set.count() == need, "has another number of signers than a quorum")
}

/// Every signature is the signer's own over this slot, as if nobody had ever checked it.
fn signed<'a>(
    cfg: &Config,
    kind: Vote,
    (view, seq, digest, just): Slot,
    mut sigs: impl Iterator<Item = &'a (ReplicaId, Sig)>,
    sight: &Sight<'_>,
) -> Result<(), String> {
    let mut memo = Memo::off();
    let mut bench = Bench::new(&sight.setup.params, sight.gateways, &mut memo).of(sight.setup.crypto);
    let valid = sigs.all(|(sender, sig)| {
        let st = Statement { network_id: cfg.network_id, kind, sender: *sender, view, seq, digest, just };
        bench.statement(*sender, &st, sig)
    });
    hold(valid, "holds a signature that is not valid")
}

impl Proofs {
    /// Looks at what a gateway of C keeps when it says that it accepted something.
    pub fn observe(&mut self, effect: &Effect, agreement: &Agreement, sight: &Sight<'_>) -> Option<Finding> {
        let Kind::Fact(fact) = &effect.kind else { return None };
        let who = effect.actor.filter(|a| a.role == Role::Css && !agreement.faulty().contains(a))?;
        match fact {
            FactKind::Prepared { .. }
            | FactKind::Committed { .. }
            | FactKind::ViewChange { .. }
            | FactKind::NewView { .. }
            | FactKind::BlockAppended { .. } => {}
            _ => return None,
        }
        let Some(Entity::Css(css)) = (sight.entity)(who) else { return None };
        let replica = css.replica()?;
        if let FactKind::BlockAppended { height, .. } = fact {
            return self.appended(who, Seq(*height), replica, agreement, sight);
        }
        let broken = |text: String| Finding::broken("SI-6", format!("a certificate at {who} {text}"));
        self.accepted(fact, replica, sight).err().map(broken)
    }

    fn accepted(&mut self, fact: &FactKind, replica: &Replica, sight: &Sight<'_>) -> Result<(), String> {
        let cfg = replica.config();
        match fact {
            // The same step made a later state stable, and dropped what led to it.
            FactKind::Prepared { seq, .. } | FactKind::Committed { seq, .. } if Seq(*seq) <= replica.low() => Ok(()),
            FactKind::Prepared { view, seq, digest } => {
                let cert = replica.log().slot(Seq(*seq)).and_then(|slot| slot.prepared.as_ref());
                let cert = cert.ok_or("is missing for a slot said to be prepared")?;
                let same = (cert.view, cert.seq, cert.digest) == (View(*view), Seq(*seq), *digest);
                hold(same, "is about another slot than the one said to be prepared")?;
                self.prepared(cfg, cert, sight)
            }
            FactKind::Committed { seq, .. } => {
                let cert = replica.certificate(Seq(*seq)).ok_or("is missing for a slot said to be committed")?;
                hold(cert.seq == Seq(*seq), "is about another slot than the one said to be committed")?;
                self.committed(cfg, cert, sight)
            }
            _ => {
                let quorum = replica.entered_by().into_iter().flat_map(|nv| &nv.v_set);
                self.carried(cfg, replica.view_changes().chain(quorum), sight)
            }
        }
    }

    /// What VIEW-CHANGEs prove.
    fn carried<'a>(
        &mut self,
        cfg: &Config,
        mut vcs: impl Iterator<Item = &'a Arc<ViewChange>>,
        sight: &Sight<'_>,
    ) -> Result<(), String> {
        vcs.try_for_each(|vc| {
            let last = self.carried.insert(vc.sender(), vc.clone());
            if last.is_some_and(|last| Arc::ptr_eq(&last, vc)) {
                return Ok(());
            }
            self.stable(cfg, &vc.stable, sight)?;
            vc.p.iter().try_for_each(|cert| self.prepared(cfg, cert, sight))
        })
    }

    /// q CHECKPOINTs of distinct gateways over one state; genesis needs none.
    fn stable(&mut self, cfg: &Config, proof: &StableProof, sight: &Sight<'_>) -> Result<(), String> {
        if proof.seq == Seq(0) {
            return hold(*proof == StableProof::genesis(cfg), "is not that of the stable state");
        }
        signers(cfg, &proof.sigs, cfg.quorum.strong(), None)?;
        let slot = (View(0), proof.seq, proof.state_digest, Digest::ZERO);
        if self.sampled() { signed(cfg, Vote::Checkpoint, slot, proof.sigs.iter(), sight) } else { Ok(()) }
    }

    fn sampled(&mut self) -> bool {
        self.seen += 1;
        self.seen % SAMPLE == 1
    }

    /// A pre-prepare of the view's primary and q − 1 matching prepares of others.
    fn prepared(&mut self, cfg: &Config, cert: &Prepared, sight: &Sight<'_>) -> Result<(), String> {
        let primary = cfg.quorum.primary(cert.view);
        signers(cfg, &cert.prepares, cfg.quorum.prepares(), Some(primary))?;
        let slot = (cert.view, cert.seq, cert.digest, cert.just);
        hold(cert.view > View(0) || cert.just == Digest::ZERO, "rests on a NEW-VIEW in view 0")?;
        if self.sampled() {
            signed(cfg, Vote::PrePrepare, slot, [(primary, cert.pp_sig)].iter(), sight)?;
            signed(cfg, Vote::Prepare, slot, cert.prepares.iter(), sight)?;
        }
        Ok(())
    }

    /// q matching commits.
    fn committed(&mut self, cfg: &Config, cert: &CommitCertificate, sight: &Sight<'_>) -> Result<(), String> {
        signers(cfg, &cert.commits, cfg.quorum.strong(), None)?;
        hold(cert.view > View(0) || cert.just == Digest::ZERO, "rests on a NEW-VIEW in view 0")?;
        if self.sampled() {
            let slot = (cert.view, cert.seq, cert.digest, cert.just);
            signed(cfg, Vote::Commit, slot, cert.commits.iter(), sight)?;
        }
        Ok(())
    }

    // ---- SI-10

    fn appended(
        &mut self,
        who: ActorId,
        height: Seq,
        replica: &Replica,
        agreement: &Agreement,
        sight: &Sight<'_>,
    ) -> Option<Finding> {
        let broken = |text: String| Finding::broken("SI-10", format!("block {} at {who} {text}", height.0));
        let chain = replica.chain();
        // The same step put a state in the place of the block.
        if height <= chain.base() {
            return None;
        }
        let parent = height.0.checked_sub(1).and_then(|below| chain.header(Seq(below)));
        let Some((block, parent)) = chain.block(height).zip(parent) else {
            return Some(broken("is not in the chain".to_owned()));
        };
        if let Err(text) = self.block(who, block, parent) {
            return Some(broken(text));
        }
        let decided = replica.certificate(height).is_some_and(|cert| cert.digest == block.header.proposal);
        if !decided {
            let text = format!("{who} executed slot {} without a certificate for it", height.0);
            return Some(Finding::broken("SI-6", text));
        }
        // Beyond f a NEW-VIEW can carry a slot over that no correct gateway has looked at.
        let text = self.ciphertexts(block, sight).err()?;
        agreement.gated("SI-10", format!("block {} at {who} {text}", height.0))
    }

    /// Root, count and voids of a block, and that no nullifier was applied before.
    fn block(&mut self, who: ActorId, block: &Block, parent: &BlockHeader) -> Result<(), String> {
        let header = &block.header;
        let Some(proposal) = &block.proposal else {
            let nothing = header.count == 0 && header.applied == 0 && block.voids.is_empty();
            return hold(nothing && header.nullacc == parent.nullacc, "is null and changes something");
        };
        let (root, digest) = self.hashes(header.proposal, proposal);
        hold(root == proposal.header.tx_root && root == header.tx_root, "has another root than its ciphertexts")?;
        let count = u32::try_from(proposal.txs.len()).unwrap_or(u32::MAX);
        hold(count == proposal.header.count && count == header.count, "has another count than its ciphertexts")?;
        hold(header.proposal == digest, "holds another proposal than its header names")?;
        let applied = self.applied.entry(who).or_default();
        let mut fresh = 0;
        for (index, tx) in (0u32..).zip(&proposal.txs) {
            if block.voids.iter().all(|(void, _)| *void != index) {
                hold(applied.insert(tx.nullifier), "applies a ticket for the second time")?;
                fresh += 1;
            }
        }
        hold(fresh == header.applied, "counts its applied ciphertexts wrongly")
    }

    /// Root and digest of a proposal, made from its bytes: once for all who hold the same object.
    fn hashes(&mut self, named: Digest, proposal: &Arc<Proposal>) -> (Digest, Digest) {
        match self.hashed.get(&named) {
            Some((known, root, digest)) if Arc::ptr_eq(known, proposal) => (*root, *digest),
            _ => {
                let leaves: Vec<_> = proposal.txs.iter().map(|tx| Sigma::leaf_of(&tx.id, tx.bytes()).0).collect();
                let (root, digest) = (root_of_leaves(&leaves), proposal.header.digest());
                self.hashed.insert(named, (proposal.clone(), root, digest));
                (root, digest)
            }
        }
    }

    /// Every σ passes V1–V6 at the time of the proposal, and is what its index entry says.
    fn ciphertexts(&mut self, block: &Block, sight: &Sight<'_>) -> Result<(), String> {
        let Some(proposal) = &block.proposal else { return Ok(()) };
        if self.checked.get(&block.header.proposal).is_some_and(|p| Arc::ptr_eq(p, proposal) || p == proposal) {
            return Ok(());
        }
        self.checked.insert(block.header.proposal, proposal.clone());
        let params = &sight.setup.params;
        let mut memo = Memo::off();
        let mut bench = Bench::new(params, sight.gateways, &mut memo).of(sight.setup.crypto);
        proposal.txs.iter().try_for_each(|tx| {
            let verified = bench.ciphertext(tx, proposal.header.time);
            verified.map_err(|error| format!("orders σ {}: {error}", tx.id.short(8)))?;
            hold(parse_sigma(params, tx.bytes()).as_ref() == Some(&**tx), "orders σ under another name or flow")
        })
    }
}

#[cfg(test)]
mod tests;
