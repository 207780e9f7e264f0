//! Messages and the one kind of statement a replica signs (CONSENSUS.md §2.3, §2.6).
//!
//! Kind, sender, view, seq and digest are all under the signature, so nothing can be replayed across phases, views,
//! slots, networks or senders. Encoding is in `codec.rs`.

use super::certificate::{CommitCertificate, Prepared, Snapshot, StableProof};
use super::evidence::Evidence;
use super::types::{Just, ReplicaId, Sig, View};
use crate::ledger::codec::Writer;
use crate::ledger::hash::c32;
use crate::ledger::{Block, Digest, Proposal, Seq, Sigma};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// First bytes of every statement.
pub const STATEMENT_TAG: &[u8; 16] = b"voltcast/pbft/1\0";

/// What a statement says; the number is its byte.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum Kind {
    PrePrepare = 1,
    Prepare = 2,
    Commit = 3,
    Checkpoint = 4,
    ViewChange = 5,
    NewView = 6,
    DataSet = 7,
    Status = 8,
    Fetch = 9,
    Seal = 10,
}

impl Kind {
    /// All kinds in the order of their numbers.
    pub const ALL: [Kind; 10] = [
        Kind::PrePrepare,
        Kind::Prepare,
        Kind::Commit,
        Kind::Checkpoint,
        Kind::ViewChange,
        Kind::NewView,
        Kind::DataSet,
        Kind::Status,
        Kind::Fetch,
        Kind::Seal,
    ];

    pub fn code(self) -> u8 {
        self as u8
    }

    pub fn from_code(code: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.code() == code)
    }

    /// Kinds 1 to 3, the votes on a slot.
    pub fn is_vote(self) -> bool {
        matches!(self, Kind::PrePrepare | Kind::Prepare | Kind::Commit)
    }
}

/// The 131 bytes under a signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Statement {
    pub network_id: Digest,
    pub kind: Kind,
    pub sender: ReplicaId,
    pub view: View,
    pub seq: Seq,
    pub digest: Digest,
    pub just: Just,
}

impl Statement {
    pub const LEN: usize = 131;

    /// Whether the fields that its kind does not use are zero (CONSENSUS.md §2.3). Certificates write the statement anew
    /// from their own fields, so a signature over anything else would make a certificate that nobody accepts.
    pub fn unused_are_zero(&self) -> bool {
        match self.kind {
            Kind::PrePrepare | Kind::Prepare | Kind::Commit => true,
            Kind::Checkpoint | Kind::Fetch | Kind::Seal => self.view == View(0) && self.just == Digest::ZERO,
            Kind::ViewChange | Kind::NewView | Kind::DataSet | Kind::Status => self.just == Digest::ZERO,
        }
    }

    /// The vote body of CLMMSC.md §10.
    pub fn bytes(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..16].copy_from_slice(STATEMENT_TAG);
        out[16..48].copy_from_slice(&self.network_id.0);
        out[48] = self.kind.code();
        out[49..51].copy_from_slice(&self.sender.0.to_le_bytes());
        out[51..59].copy_from_slice(&self.view.0.to_le_bytes());
        out[59..67].copy_from_slice(&self.seq.0.to_le_bytes());
        out[67..99].copy_from_slice(&self.digest.0);
        out[99..].copy_from_slice(&self.just.0);
        out
    }
}

/// A signed statement in a message, byte by byte: offset, length, name, meaning.
pub const SIGNED_FIELDS: [(usize, usize, &str, &str); 9] = [
    (0, 16, "tag", "Separates these signatures from all others."),
    (16, 32, "network", "Whose agreement this is: the digest of genesis."),
    (
        48,
        1,
        "kind",
        "1 pre-prepare, 2 prepare, 3 commit, 4 checkpoint, 5 view change, 6 new view, 7 data set, 8 status, 9 fetch, 10 seal.",
    ),
    (49, 2, "sender", "Number of the gateway, from 0."),
    (51, 8, "view v", "Who leads: gateway v mod n."),
    (59, 8, "sequence", "Number of the slot, and of the block in it."),
    (67, 32, "digest d", "Of the proposed block, or of the message's content."),
    (99, 32, "justification", "Digest of the NEW-VIEW on which this view rests; zero in view 0."),
    (131, 64, "signature", "N ‖ z under the sender's certificateless key."),
];

/// A statement with its signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signed {
    pub statement: Statement,
    pub sig: Sig,
}

/// VIEW-CHANGE: what a replica had prepared when it left its view. The statement's seq is the seq of `stable`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ViewChange {
    pub signed: Signed,
    pub stable: StableProof,
    /// Ascending by seq.
    pub p: Vec<Arc<Prepared>>,
}

impl ViewChange {
    pub fn sender(&self) -> ReplicaId {
        self.signed.statement.sender
    }

    pub fn target(&self) -> View {
        self.signed.statement.view
    }

    /// What its statement must name.
    pub fn content(&self) -> Digest {
        ViewChange::content_digest(&self.stable, &self.p)
    }

    /// C32("vc"; content).
    pub fn content_digest(stable: &StableProof, p: &[Arc<Prepared>]) -> Digest {
        let mut w = Writer::new();
        stable.write(&mut w);
        w.list(p, |w, cert| cert.write(w));
        c32("vc", &[&w.0])
    }
}

/// One slot fixed by a NEW-VIEW, with the new primary's pre-prepare signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fixed {
    pub seq: Seq,
    pub digest: Digest,
    pub pp_sig: Sig,
}

/// NEW-VIEW: a quorum of VIEW-CHANGEs and what follows from them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewView {
    pub signed: Signed,
    /// Ascending by sender.
    pub v_set: Vec<Arc<ViewChange>>,
    pub o: Vec<Fixed>,
}

impl NewView {
    pub fn view(&self) -> View {
        self.signed.statement.view
    }

    /// The justification of every vote in the view it opens.
    #[allow(clippy::misnamed_getters)] // a NEW-VIEW's own digest is what its votes are justified by
    pub fn just(&self) -> Just {
        self.signed.statement.digest
    }

    /// What its statement must name, recomputed: by it votes are justified.
    pub fn content(&self) -> Digest {
        NewView::content_digest(self.view(), &self.v_set, self.o.iter().map(|fixed| (fixed.seq, &fixed.digest)))
    }

    /// C32("nv"; view, v_set, (seq, digest) pairs); without the pp_sigs, so `just` is known before they are made.
    pub fn content_digest<'a>(
        view: View,
        v_set: &[Arc<ViewChange>],
        slots: impl ExactSizeIterator<Item = (Seq, &'a Digest)>,
    ) -> Digest {
        let mut w = Writer::new();
        w.u64(view.0);
        w.list(v_set, |w, vc| vc.write(w));
        w.u32(slots.len() as u32);
        for (seq, digest) in slots {
            w.u64(seq.0).digest(digest);
        }
        c32("nv", &[&w.0])
    }
}

/// DATASET: a gateway's collected ciphertexts; view is its current one, seq its set number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataSet {
    pub signed: Signed,
    pub items: Vec<Arc<Sigma>>,
}

impl DataSet {
    /// C32("dataset"; ids).
    pub fn content_digest(items: &[Arc<Sigma>]) -> Digest {
        let ids: Vec<&[u8]> = items.iter().map(|s| s.id.0.as_slice()).collect();
        c32("dataset", &ids)
    }
}

/// STATUS: how far a replica is, so that others send what it lacks. The statement's view is its level, its seq what it
/// has executed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    pub signed: Signed,
    pub changing: bool,
    /// Its stable checkpoint.
    pub low: Seq,
    /// One bit per slot above `low`, lowest first: has a pre-prepare, has prepared, has committed.
    pub has: [Vec<u8>; 3],
}

impl Status {
    /// C32("status"; content).
    pub fn content_digest(changing: bool, low: Seq, has: &[Vec<u8>; 3]) -> Digest {
        c32("status", &[&[u8::from(changing)], &low.0.to_le_bytes(), &has[0], &has[1], &has[2]])
    }

    /// Whether bit map `which` has the slot.
    pub fn has(&self, which: usize, seq: Seq) -> bool {
        let at = seq.0.checked_sub(self.low.0 + 1);
        let byte = at.and_then(|at| self.has.get(which)?.get(usize::try_from(at / 8).ok()?).copied());
        byte.zip(at).is_some_and(|(byte, at)| byte >> (at % 8) & 1 == 1)
    }
}

/// What a FETCH asks for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Want {
    /// The ciphertexts of a proposal.
    Body { seq: Seq, digest: Digest },
    /// Executed blocks with their certificates; a peer that no longer has them answers with its snapshot.
    Blocks { from: Seq, to: Seq },
    /// The stable state.
    Snapshot,
    /// The NEW-VIEW by which a view was entered.
    NewView(View),
    /// The stable proof.
    Stable,
}

impl Want {
    /// Number of the kind, also its first byte.
    pub fn code(self) -> u8 {
        match self {
            Want::Body { .. } => 1,
            Want::Blocks { .. } => 2,
            Want::Snapshot => 3,
            Want::NewView(_) => 4,
            Want::Stable => 5,
        }
    }
}

/// FETCH; the statement's seq is the request number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetch {
    pub signed: Signed,
    pub want: Want,
}

impl Fetch {
    /// C32("fetch"; want).
    pub fn content_digest(want: Want) -> Digest {
        let mut w = Writer::new();
        want.write(&mut w);
        c32("fetch", &[&w.0])
    }
}

/// PUBLISH: an executed block with the certificate of its proposal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Publish {
    pub block: Arc<Block>,
    pub cert: Arc<CommitCertificate>,
}

/// Everything gateways and followers exchange about agreement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    Ciphertext(Arc<Sigma>),
    DataSet(DataSet),
    PrePrepare(Signed, Arc<Proposal>),
    Prepare(Signed),
    Commit(Signed),
    Checkpoint(Signed),
    ViewChange(Arc<ViewChange>),
    NewView(Arc<NewView>),
    Status(Status),
    Fetch(Fetch),
    Body(Arc<Proposal>),
    /// Executed blocks in order.
    Blocks(Vec<Publish>),
    Snapshot(Arc<Snapshot>),
    Stable(Arc<StableProof>),
    Seal(Signed),
    Publish(Publish),
    Evidence(Arc<Evidence>),
}

impl Message {
    /// The signed statement and the kind it must have; `None` for messages that prove themselves.
    pub fn signed(&self) -> Option<(Kind, &Signed)> {
        match self {
            Message::DataSet(m) => Some((Kind::DataSet, &m.signed)),
            Message::PrePrepare(s, _) => Some((Kind::PrePrepare, s)),
            Message::Prepare(s) => Some((Kind::Prepare, s)),
            Message::Commit(s) => Some((Kind::Commit, s)),
            Message::Checkpoint(s) => Some((Kind::Checkpoint, s)),
            Message::Status(m) => Some((Kind::Status, &m.signed)),
            Message::ViewChange(m) => Some((Kind::ViewChange, &m.signed)),
            Message::NewView(m) => Some((Kind::NewView, &m.signed)),
            Message::Fetch(m) => Some((Kind::Fetch, &m.signed)),
            Message::Seal(s) => Some((Kind::Seal, s)),
            Message::Ciphertext(_)
            | Message::Body(_)
            | Message::Blocks(_)
            | Message::Snapshot(_)
            | Message::Stable(_)
            | Message::Publish(_)
            | Message::Evidence(_) => None,
        }
    }

    /// The same message with another signed statement; one that proves itself stays as it is.
    pub fn re_signed(&self, signed: Signed) -> Message {
        match self.clone() {
            Message::DataSet(m) => Message::DataSet(DataSet { signed, ..m }),
            Message::PrePrepare(_, body) => Message::PrePrepare(signed, body),
            Message::Prepare(_) => Message::Prepare(signed),
            Message::Commit(_) => Message::Commit(signed),
            Message::ViewChange(m) => Message::ViewChange(Arc::new(ViewChange { signed, ..(*m).clone() })),
            Message::NewView(m) => Message::NewView(Arc::new(NewView { signed, ..(*m).clone() })),
            Message::Fetch(m) => Message::Fetch(Fetch { signed, ..m }),
            Message::Seal(_) => Message::Seal(signed),
            Message::Checkpoint(_) => Message::Checkpoint(signed),
            Message::Status(m) => Message::Status(Status { signed, ..m }),
            other @ (Message::Ciphertext(_)
            | Message::Body(_)
            | Message::Blocks(_)
            | Message::Snapshot(_)
            | Message::Stable(_)
            | Message::Publish(_)
            | Message::Evidence(_)) => other,
        }
    }

    /// Name of the message in the paper of PBFT or in the spec.
    pub fn name(&self) -> &'static str {
        match self {
            Message::Ciphertext(_) => "CIPHERTEXT",
            Message::DataSet(_) => "DATASET",
            Message::PrePrepare(..) => "PRE-PREPARE",
            Message::Prepare(_) => "PREPARE",
            Message::Commit(_) => "COMMIT",
            Message::Checkpoint(_) => "CHECKPOINT",
            Message::Status(_) => "STATUS",
            Message::Blocks(_) => "BLOCKS",
            Message::Snapshot(_) => "SNAPSHOT",
            Message::Stable(_) => "STABLE",
            Message::ViewChange(_) => "VIEW-CHANGE",
            Message::NewView(_) => "NEW-VIEW",
            Message::Fetch(_) => "FETCH",
            Message::Body(_) => "BODY",
            Message::Seal(_) => "SEAL",
            Message::Publish(_) => "PUBLISH",
            Message::Evidence(_) => "EVIDENCE",
        }
    }
}

/// A message on its way. `from` is the transport hop, used only to answer; identity comes from the signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    pub from: super::types::NodeId,
    pub to: super::types::NodeId,
    pub msg: Arc<Message>,
}
