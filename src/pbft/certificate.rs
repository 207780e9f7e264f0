//! Certificates: sets of signatures that convince third parties (CONSENSUS.md §2.5).
//!
//! Validity depends on content and genesis only, never on the local log: two correct replicas always judge alike.

use super::config::Config;
use super::message::{Kind, Signed, Statement};
use super::types::{Just, ReplicaId, Sig, Verifier, View};
use crate::ledger::block::BlockHeader;
use crate::ledger::chain::MerklePath;
use crate::ledger::state::{Nullifiers, State};
use crate::ledger::{Digest, ProposalHeader, Seq};
use crate::mutants::mutant;

/// Signatures by distinct replicas, ascending.
pub type Signatures = Vec<(ReplicaId, Sig)>;

/// A pre-prepare and q−1 matching prepares: at most one digest per (view, seq) can have one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prepared {
    pub view: View,
    pub seq: Seq,
    pub digest: Digest,
    pub just: Just,
    pub pp_sig: Sig,
    pub prepares: Signatures,
}

/// q matching commits: the slot is decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitCertificate {
    pub view: View,
    pub seq: Seq,
    pub digest: Digest,
    pub just: Just,
    pub commits: Signatures,
}

/// q checkpoint signatures over a state; genesis (seq 0) needs none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StableProof {
    pub seq: Seq,
    pub state_digest: Digest,
    pub sigs: Signatures,
}

/// A stable state: its proof, its block header and the nullifiers that were live after it, per epoch in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    pub proof: StableProof,
    pub header: BlockHeader,
    pub live: Nullifiers,
}

/// Proves "σ is ordered at this height".
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InclusionProof {
    pub header: ProposalHeader,
    pub path: MerklePath,
    pub sigma: Digest,
    pub bytes_hash: Digest,
    pub cert: CommitCertificate,
}

fn statement(cfg: &Config, kind: Kind, sender: ReplicaId, at: (View, Seq, Digest, Just)) -> Statement {
    let (view, seq, digest, just) = at;
    Statement { network_id: cfg.network_id, kind, sender, view, seq, digest, just }
}

fn signed(cfg: &Config, kind: Kind, at: (View, Seq, Digest, Just), sigs: &Signatures) -> impl Iterator<Item = Signed> {
    sigs.iter().map(move |(who, sig)| Signed { statement: statement(cfg, kind, *who, at), sig: *sig })
}

/// Whether `sigs` are `need` valid signatures of distinct replicas in ascending order over the same vote.
fn quorum_signed(
    cfg: &Config,
    kind: Kind,
    at: (View, Seq, Digest, Just),
    sigs: &Signatures,
    need: u16,
    verify: &mut dyn Verifier,
) -> bool {
    sigs.len() == usize::from(need)
        && (sigs.is_sorted_by(|a, b| a.0 < b.0) || mutant!("count-dups"))
        && sigs.iter().all(|(who, _)| who.0 < cfg.quorum.n())
        && (mutant!("skip-cert")
            || sigs.iter().all(|(who, sig)| verify.statement(*who, &statement(cfg, kind, *who, at), sig)))
}

impl Prepared {
    /// OSDI'99 §4.4: the proof a VIEW-CHANGE carries for each prepared slot.
    pub fn valid(&self, cfg: &Config, verify: &mut dyn Verifier) -> bool {
        let at = (self.view, self.seq, self.digest, self.just);
        let primary = cfg.quorum.primary(self.view);
        self.prepares.iter().all(|(who, _)| *who != primary)
            && (self.view > View(0) || self.just == Digest::ZERO)
            && verify.statement(primary, &statement(cfg, Kind::PrePrepare, primary, at), &self.pp_sig)
            && quorum_signed(cfg, Kind::Prepare, at, &self.prepares, cfg.quorum.prepares(), verify)
    }

    /// The statements whose signatures it holds.
    pub fn statements(&self, cfg: &Config) -> impl Iterator<Item = Signed> {
        let at = (self.view, self.seq, self.digest, self.just);
        let primary = cfg.quorum.primary(self.view);
        let proposed = Signed { statement: statement(cfg, Kind::PrePrepare, primary, at), sig: self.pp_sig };
        core::iter::once(proposed).chain(signed(cfg, Kind::Prepare, at, &self.prepares))
    }

    /// Everybody who signed it, and so holds the body if correct: the primary, then the backups.
    pub fn signers(&self, cfg: &Config) -> Vec<ReplicaId> {
        let primary = cfg.quorum.primary(self.view);
        core::iter::once(primary).chain(self.prepares.iter().map(|(who, _)| *who)).collect()
    }
}

impl CommitCertificate {
    /// The statements whose signatures it holds.
    pub fn statements(&self, cfg: &Config) -> impl Iterator<Item = Signed> {
        signed(cfg, Kind::Commit, (self.view, self.seq, self.digest, self.just), &self.commits)
    }

    /// q commits by distinct replicas; the primary may be among them.
    pub fn valid(&self, cfg: &Config, verify: &mut dyn Verifier) -> bool {
        let at = (self.view, self.seq, self.digest, self.just);
        (self.view > View(0) || self.just == Digest::ZERO)
            && quorum_signed(cfg, Kind::Commit, at, &self.commits, cfg.quorum.strong(), verify)
    }
}

impl StableProof {
    /// The proof every replica starts with.
    pub fn genesis(cfg: &Config) -> Self {
        StableProof { seq: Seq(0), state_digest: cfg.genesis_state, sigs: Vec::new() }
    }

    /// q CHECKPOINTs by distinct replicas at a multiple of K, or genesis itself.
    pub fn valid(&self, cfg: &Config, verify: &mut dyn Verifier) -> bool {
        if self.seq == Seq(0) {
            return *self == StableProof::genesis(cfg);
        }
        let at = (View(0), self.seq, self.state_digest, Digest::ZERO);
        self.seq.0.is_multiple_of(cfg.k)
            && quorum_signed(cfg, Kind::Checkpoint, at, &self.sigs, cfg.quorum.strong(), verify)
    }
}

impl Snapshot {
    /// The state, if it is the one that the proof is about.
    pub fn state(&self, cfg: &Config, verify: &mut dyn Verifier) -> Option<State> {
        let state = State::restore(&self.live);
        let told = self.header.height == self.proof.seq
            && self.header.network_id == cfg.network_id
            && self.header.nullacc == state.nullacc()
            && self.header.state_digest() == self.proof.state_digest;
        (told && self.proof.valid(cfg, verify)).then_some(state)
    }
}

impl InclusionProof {
    /// Whether q replicas committed the block that contains σ.
    pub fn valid(&self, cfg: &Config, verify: &mut dyn Verifier) -> bool {
        self.header.digest() == self.cert.digest
            && self.header.seq == self.cert.seq
            && self.header.count == self.path.count
            && self.path.proves(&self.header.tx_root, &self.sigma, &self.bytes_hash)
            && self.cert.valid(cfg, verify)
    }
}
