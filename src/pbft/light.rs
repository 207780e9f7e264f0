//! Light followers: the chain without its blocks (CONSENSUS.md §2.5, §3.12).
//!
//! A header is taken when f+1 gateways sealed it, for one of them is correct; a σ is taken as stored, void or absent by a
//! proof against such a header. Nothing here votes, and nothing here trusts whoever brings a proof.

use super::certificate::{InclusionProof, Signatures};
use super::config::Config;
use super::evidence::{Evidence, exclusive};
use super::message::{Kind, Signed, Statement};
use super::new_view::signed_here;
use super::types::{ReplicaId, Sig, Verifier, View};
use crate::clmmsc::merkle;
use crate::ledger::block::{BlockHeader, Voids, voids_digest};
use crate::ledger::proposal::root_of_leaves;
use crate::ledger::{Digest, Seq, Sigma};
use std::collections::BTreeMap;
use std::sync::Arc;

/// f+1 SEALs of one header: at least one correct gateway executed it. It proves parent, order and voids.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealProof {
    pub header: BlockHeader,
    pub seals: Signatures,
}

impl SealProof {
    /// Exactly f+1 distinct gateways sealed this header.
    pub fn valid(&self, cfg: &Config, verify: &mut dyn Verifier) -> bool {
        let (height, digest) = (self.header.height, self.header.digest());
        self.seals.len() == usize::from(cfg.quorum.weak())
            && self.seals.is_sorted_by(|a, b| a.0 < b.0)
            && self.seals.iter().all(|(who, sig)| {
                let statement = seal(cfg, *who, height, digest);
                signed_here(cfg, &Signed { statement, sig: *sig }, verify)
            })
    }
}

/// The statement of a SEAL.
fn seal(cfg: &Config, sender: ReplicaId, height: Seq, digest: Digest) -> Statement {
    let (network_id, kind, view, just) = (cfg.network_id, Kind::Seal, View(0), Digest::ZERO);
    Statement { network_id, kind, sender, view, seq: height, digest, just }
}

/// σ was applied at a height: its place in the ordered proposal, the header that linked it, and the void list without it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredProof {
    pub seal: SealProof,
    pub inclusion: InclusionProof,
    pub voids: Voids,
}

impl StoredProof {
    /// The reply rule of OSDI'99 §4.1, for a chain: f+1 gateways say that σ had its effect.
    pub fn valid(&self, cfg: &Config, verify: &mut dyn Verifier) -> bool {
        let header = &self.seal.header;
        let index = self.inclusion.path.index;
        self.inclusion.cert.seq == header.height
            && self.inclusion.cert.digest == header.proposal
            && voids_digest(&self.voids) == header.voids
            && !self.voids.iter().any(|(void, _)| *void == index)
            && self.inclusion.valid(cfg, verify)
            && self.seal.valid(cfg, verify)
    }
}

/// σ is not in the block of this header: all leaves, as (id, hash of the bytes).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AbsenceProof {
    pub seal: SealProof,
    pub leaves: Vec<(Digest, Digest)>,
}

impl AbsenceProof {
    /// The leaves lead to the sealed root, and σ is none of them.
    pub fn valid(&self, sigma: &Digest, cfg: &Config, verify: &mut dyn Verifier) -> bool {
        let leaves: Vec<merkle::Hash> =
            self.leaves.iter().map(|(id, bytes)| Sigma::leaf_of_hash(id, bytes).0).collect();
        root_of_leaves(&leaves) == self.seal.header.tx_root
            && !self.leaves.iter().any(|(id, _)| id == sigma)
            && self.seal.valid(cfg, verify)
    }
}

/// What became of a SEAL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// Not a SEAL of a gateway of this network, or too far ahead.
    Refused,
    /// One more for this header; f+1 are not reached.
    Counted(u16),
    /// The header at this height is settled now.
    Accepted,
    /// It was settled before, by the same header.
    Known,
    /// This gateway sealed two headers at one height.
    Convicts(Box<Evidence>),
    /// A correct gateway must be among those who sealed what was accepted: more than f are faulty.
    Conflict { had: Digest },
}

/// Heights above the last accepted one for which SEALs are kept.
const AHEAD: u64 = 64;

/// Knows the digest of each sealed header, and nothing else of the chain.
#[derive(Clone, Debug)]
pub struct LightFollower {
    cfg: Arc<Config>,
    accepted: BTreeMap<Seq, Digest>,
    seals: BTreeMap<Seq, BTreeMap<ReplicaId, (Digest, Sig)>>,
}

impl LightFollower {
    pub fn new(cfg: Arc<Config>) -> Self {
        LightFollower { cfg, accepted: BTreeMap::new(), seals: BTreeMap::new() }
    }

    /// Digest of the header settled at a height.
    pub fn digest(&self, height: Seq) -> Option<Digest> {
        self.accepted.get(&height).copied()
    }

    /// Highest settled height; 0 for genesis.
    pub fn height(&self) -> Seq {
        self.accepted.last_key_value().map_or(Seq(0), |(height, _)| *height)
    }

    /// A header that is known in another way, with all before it.
    pub fn settle(&mut self, height: Seq, digest: Digest) {
        self.accepted = self.accepted.split_off(&height);
        self.accepted.insert(height, digest);
        self.seals = self.seals.split_off(&Seq(height.0 + 1));
    }

    /// Who sealed a height: whom to ask for its block.
    pub fn sealers(&self, height: Seq) -> impl Iterator<Item = ReplicaId> {
        self.seals.get(&height).into_iter().flat_map(|seals| seals.keys().copied())
    }

    /// Takes one SEAL.
    pub fn on_seal(&mut self, signed: &Signed, verify: &mut dyn Verifier) -> Heard {
        let st = signed.statement;
        let near = st.seq > Seq(0) && st.seq.0 <= self.height().0.saturating_add(AHEAD);
        let regular = st == seal(&self.cfg, st.sender, st.seq, st.digest);
        if !near || !regular || !signed_here(&self.cfg, signed, verify) {
            return Heard::Refused;
        }
        let seals = self.seals.entry(st.seq).or_default();
        let (first, sig) = *seals.entry(st.sender).or_insert((st.digest, signed.sig));
        let earlier = Signed { statement: Statement { digest: first, ..st }, sig };
        if exclusive(&earlier.statement, &st) {
            return Heard::Convicts(Box::new(Evidence::Equivocation(earlier, *signed)));
        }
        let have = seals.values().filter(|(digest, _)| *digest == st.digest).count() as u16;
        match self.accepted.get(&st.seq) {
            Some(had) if *had == st.digest => Heard::Known,
            Some(had) if have >= self.cfg.quorum.weak() => Heard::Conflict { had: *had },
            None if have >= self.cfg.quorum.weak() => {
                self.accepted.insert(st.seq, st.digest);
                Heard::Accepted
            }
            _ => Heard::Counted(have),
        }
    }

    /// The proof for others that this header was sealed, if the SEALs for it were heard here.
    pub fn seal_proof(&self, header: &BlockHeader) -> Option<SealProof> {
        let digest = header.digest();
        let need = usize::from(self.cfg.quorum.weak());
        let seals = self.seals.get(&header.height)?.iter().filter(|(_, (sealed, _))| *sealed == digest);
        let seals: Signatures = seals.map(|(who, (_, sig))| (*who, *sig)).take(need).collect();
        (seals.len() == need).then(|| SealProof { header: header.clone(), seals })
    }
}
