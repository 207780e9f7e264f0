//! The one interface of all actors (WORLD.md §3): inputs, outputs, timers, and the bench at which cryptography is done.
//!
//! An actor sees its inputs and nothing else: no clock but `now`, no randomness but `rng`, no other actor's fields.

use super::actor::ActorId;
use super::fact::{FactKind, Rule};
use super::packet::Packet;
use super::stub::{self, Crypto};
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::{Failure, Params, PublicRecord, RecordId};
use crate::ledger::{Digest, Micros, Secs, Sigma};
use crate::pbft::message::Publish;
use crate::pbft::{self, NodeId, ReplicaId, Sig, Statement, VerifyError};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// At most one of each is set per actor; setting replaces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum TimerId {
    /// The first request to the KGC, or its repetition.
    Request,
    /// KGC: the next answer is due.
    Answer,
    /// KGC: the list of pseudo-identities is due.
    List,
    /// KGC: patience with the second of two packets about a σ.
    Pair,
    /// KGC: a routed σ should be on the chain by now.
    Stored,
    /// The next epoch's tickets should be asked for.
    Tickets,
    /// KGC: an epoch begins, its list is due.
    Epoch,
    /// Car: the next upload is due.
    Upload,
    /// CSC: uploads are collected, plan.
    Plan,
    /// CSC: all cars are planned anew.
    Replan,
    /// CSC: the next entry of the operator's agenda is due.
    Task,
    /// Pile: limit or price changes.
    Dispatch,
    /// Pile: patience with its gateway.
    Grant,
    /// Follower of the chain: a block is missing.
    Chain,
    /// Gateway: a limit of its area begins or ends.
    AreaLimit,
    /// Gateway: a timer of its replica.
    Pbft(pbft::Timer),
}

impl TimerId {
    /// Name in the trace.
    pub fn name(self) -> &'static str {
        match self {
            TimerId::Request => "request",
            TimerId::Answer => "answer",
            TimerId::List => "list",
            TimerId::Pair => "pair",
            TimerId::Stored => "stored",
            TimerId::Tickets => "tickets",
            TimerId::Epoch => "epoch",
            TimerId::Upload => "upload",
            TimerId::Plan => "plan",
            TimerId::Replan => "replan",
            TimerId::Task => "task",
            TimerId::Dispatch => "dispatch",
            TimerId::Grant => "grant",
            TimerId::Chain => "chain",
            TimerId::AreaLimit => "area-limit",
            TimerId::Pbft(pbft::Timer::Batch) => "batch",
            TimerId::Pbft(pbft::Timer::Relay) => "relay",
            TimerId::Pbft(pbft::Timer::Progress) => "progress",
            TimerId::Pbft(pbft::Timer::NewView) => "new-view",
            TimerId::Pbft(pbft::Timer::Fetch) => "fetch",
            TimerId::Pbft(pbft::Timer::Resend) => "resend",
            TimerId::Pbft(pbft::Timer::Status) => "status",
        }
    }
}

/// What the plug tells the two actors at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlantEvent {
    /// `peer` is the pile (for the car) or the car (for the pile); `stay` the number of the car's stay, from 0.
    PluggedIn {
        peer: ActorId,
        stay: u16,
    },
    /// Meters since plug-in in µJ at a time, and the power that flows from then on in W (negative: feeding back).
    Meter {
        at: Micros,
        charged_uj: i64,
        discharged_uj: i64,
        power_w: i32,
    },
    Unplugged,
}

/// What an actor reacts to.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    Start,
    /// After a crash, with what the replica of a gateway persisted (`None` if that is lost). Keys and what else an actor
    /// holds count as persisted before it acts on them.
    Restart(Option<&'a pbft::Durable>),
    Deliver {
        from: NodeId,
        packet: &'a Packet,
    },
    Timer(TimerId),
    Plant(PlantEvent),
    Wish(Wish),
    /// KGC only: a ciphertext of the workload is to be routed.
    Parcel(&'a Parcel),
}

/// One ciphertext of a workload without a station.
#[derive(Clone, Debug)]
pub struct Parcel {
    pub at: Micros,
    /// Index of the gateway that it is handed to first.
    pub home: u16,
    pub sigma: Arc<Sigma>,
}

/// What a person may ask an actor to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// A car: complain about the last ciphertext it was shown.
    Complain,
    /// The KGC: prove to everybody who sent the newest stored ciphertext.
    OpenTicket,
}

/// What an actor asks for, in order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Durable before any later output of the step is carried out.
    Persist(&'static str),
    /// The same, for what a gateway must not forget over a crash.
    Record(pbft::Record),
    Send {
        to: NodeId,
        packet: Packet,
    },
    /// One packet to several.
    Fan {
        to: Arc<[NodeId]>,
        packet: Packet,
    },
    SetTimer {
        timer: TimerId,
        after: Micros,
    },
    CancelTimer(TimerId),
    /// Pile only: the limit that the plug may not exceed.
    Power {
        limit_w: i32,
    },
    Fact {
        kind: FactKind,
        rule: Option<Rule>,
    },
}

/// One gateway's signature on one statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vote {
    pub signer: RecordId,
    pub statement: Statement,
    pub sig: Sig,
}

/// Remembers what verification said; must answer as if it had asked again.
pub trait Memory {
    fn vote(&mut self, vote: &Vote, check: &mut dyn FnMut() -> bool) -> bool;
    /// V1–V6 of the ciphertext with this leaf.
    fn sigma(
        &mut self,
        leaf: &Digest,
        at: Secs,
        check: &mut dyn FnMut() -> Result<VerifiedSigma, Failure>,
    ) -> Result<VerifiedSigma, Failure>;
    /// Outer signature of the stub ciphertext with this leaf.
    fn stub(&mut self, leaf: &Digest, check: &mut dyn FnMut() -> bool) -> bool;
    /// Digest over the content of a VIEW-CHANGE or NEW-VIEW that many share.
    fn content(&mut self, of: &pbft::Message, hash: &mut dyn FnMut() -> Digest) -> Digest;
}

/// Virtual costs in µs at device factor 1 (CONSENSUS.md §4.5, WORLD.md §6).
pub mod cost {
    pub const SIGN: u64 = 60;
    pub const VERIFY: u64 = 150;
    pub const HEADER: u64 = 250;
    pub const ENTRY: u64 = 4;
    pub const PERSIST: u64 = 200;
    pub const HANDLE: u64 = 3;
    pub const ISSUE: u64 = 60;
    pub const BOX: u64 = 120;
    pub const REQUEST: u64 = 300;
    pub const ACCEPT: u64 = 260;
    pub const DERIVE: u64 = 200;
    pub const SIGNCRYPT: u64 = 200;
    pub const RECEIVER: u64 = 110;
    pub const DECAPSULATE: u64 = 110;
    pub const OPEN: u64 = 300;
    pub const PSEUDONYM: u64 = 2;
    pub const FRAME: u64 = 2;
    pub const COMPLAIN: u64 = 220;
    pub const JUDGE: u64 = 300;
}

/// Where one actor does cryptography during one step: verification through the memory, and the virtual bill for it.
pub struct Bench<'a> {
    pub params: &'a Params,
    /// Pinned gateways in order, once genesis is known.
    pub gateways: &'a [PublicRecord],
    crypto: Crypto,
    memory: &'a mut dyn Memory,
    spent: u64,
    /// What was charged in this step already: an operation on one object costs once.
    charged: Charged,
}

/// Objects by the first 32 bytes of their signature or their digest; nearly always there is one.
#[derive(Default)]
struct Charged {
    first: Option<[u8; 32]>,
    others: BTreeSet<[u8; 32]>,
}

impl Charged {
    fn insert(&mut self, object: [u8; 32]) -> bool {
        match &self.first {
            None => {
                self.first = Some(object);
                true
            }
            Some(first) => *first != object && self.others.insert(object),
        }
    }
}

impl<'a> Bench<'a> {
    pub fn new(params: &'a Params, gateways: &'a [PublicRecord], memory: &'a mut dyn Memory) -> Self {
        Bench { params, gateways, crypto: Crypto::Real, memory, spent: 0, charged: Charged::default() }
    }

    /// The same bench for signatures of this kind.
    pub fn of(self, crypto: Crypto) -> Self {
        Bench { crypto, ..self }
    }

    /// Virtual µs spent so far, at device factor 1.
    pub fn spent(&self) -> u64 {
        self.spent
    }

    pub fn charge(&mut self, us: u64) {
        self.spent = self.spent.saturating_add(us);
    }

    fn charge_once(&mut self, object: [u8; 32], us: u64) {
        if self.charged.insert(object) {
            self.charge(us);
        }
    }

    /// V1–V6 of a whole σ at a time.
    ///
    /// # Errors
    /// The first failing check.
    pub fn verify(&mut self, bytes: &Arc<[u8]>, at: Secs) -> Result<VerifiedSigma, Failure> {
        let entries = entries(bytes);
        let id = crate::clmmsc::verify::sigma_id(self.params, bytes);
        let leaf = Sigma::leaf_of(&Digest(id.0), bytes);
        self.verify_leaf(bytes, &leaf, entries, at)
    }

    fn verify_leaf(
        &mut self,
        bytes: &Arc<[u8]>,
        leaf: &Digest,
        entries: u32,
        at: Secs,
    ) -> Result<VerifiedSigma, Failure> {
        self.charge_once(leaf.0, cost::HEADER + cost::ENTRY * u64::from(entries.min(4_096)));
        let params = self.params;
        self.memory.sigma(leaf, at, &mut || VerifiedSigma::verify(params, bytes, at.0))
    }

    /// The stub's RQ-1: outer signature and times.
    fn stub(&mut self, sigma: &Sigma, at: Secs) -> Result<(), VerifyError> {
        let leaf = sigma.leaf();
        self.charge_once(leaf.0, cost::HEADER + cost::ENTRY * u64::from(entries(sigma.bytes()).min(4_096)));
        let params = self.params;
        match self.memory.stub(&leaf, &mut || stub::signed(params, sigma)) {
            true => stub::timely(params, sigma, at),
            false => Err(VerifyError("Signature".into())),
        }
    }
}

/// The number of entries that a header claims.
fn entries(bytes: &[u8]) -> u32 {
    bytes.get(24..28).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// Second half of a signature, its scalar: names what was charged for.
fn object(sig: &Sig) -> [u8; 32] {
    let mut half = [0; 32];
    half.copy_from_slice(&sig.0[32..]);
    half
}

impl pbft::Verifier for Bench<'_> {
    fn statement(&mut self, who: ReplicaId, st: &Statement, sig: &Sig) -> bool {
        let gateways = self.gateways;
        let Some(voter) = gateways.get(usize::from(who.0)) else { return false };
        self.charge_once(object(sig), cost::VERIFY);
        let (params, crypto) = (self.params, self.crypto);
        let vote = Vote { signer: voter.rid, statement: *st, sig: *sig };
        // Pinned records are valid for the whole life of the network, so their first epoch stands for any.
        let epoch = voter.record.valid_from();
        self.memory.vote(&vote, &mut || match crypto {
            Crypto::Real => crate::clmmsc::vote::verify(params, voter, epoch, &st.bytes(), &sig.0).is_ok(),
            Crypto::Stub => stub::signature(&voter.rid.0, &st.bytes()) == *sig,
        })
    }

    fn ciphertext(&mut self, sigma: &Sigma, at: Secs) -> Result<(), VerifyError> {
        if self.crypto == Crypto::Stub {
            return self.stub(sigma, at);
        }
        let bytes = sigma.shared_bytes();
        let verified = self.verify_leaf(&bytes, &sigma.leaf(), entries(&bytes), at);
        let verified = verified.map_err(|f| VerifyError(f.error.name().into()))?;
        if verified.header().flow.stored() { Ok(()) } else { Err(VerifyError("Flow".into())) }
    }

    fn view_change_content(&mut self, vc: &Arc<pbft::message::ViewChange>) -> Digest {
        self.memory.content(&pbft::Message::ViewChange(vc.clone()), &mut || vc.content())
    }

    fn new_view_content(&mut self, nv: &Arc<pbft::message::NewView>) -> Digest {
        self.memory.content(&pbft::Message::NewView(nv.clone()), &mut || nv.content())
    }
}

/// An actor's hands for one step.
pub struct Io<'a, 'b> {
    pub bench: &'a mut Bench<'b>,
    pub rng: &'a mut ChaCha8Rng,
    pub out: &'a mut Vec<Output>,
}

impl Io<'_, '_> {
    pub fn fact(&mut self, kind: FactKind) {
        self.out.push(Output::Fact { kind, rule: None });
    }

    pub fn ruled(&mut self, kind: FactKind, rule: impl Into<Rule>) {
        self.out.push(Output::Fact { kind, rule: Some(rule.into()) });
    }

    /// A packet was refused by a check of the scheme.
    pub fn refuse(&mut self, what: &str, failure: Failure, sigma: Option<Digest>, from: Option<ActorId>) {
        let reason = failure.error.name().to_owned();
        self.ruled(FactKind::Refused { what: what.into(), reason, sigma, from }, failure.check);
    }

    /// A follower takes a published block, or says why not; hearing of one again is no refusal.
    pub fn follow(&mut self, follower: &mut pbft::Follower, publish: &Publish, from: Option<ActorId>) {
        let mut out = Vec::new();
        follower.on_publish(publish, &mut pbft::Io { verify: &mut *self.bench, out: &mut out });
        for output in out {
            if let pbft::Output::Trace { rule, outcome: pbft::Outcome::Reject(reason), .. } = output
                && reason != pbft::Reason::Duplicate
            {
                let (what, reason) = ("published block".to_owned(), format!("{reason:?}"));
                self.ruled(FactKind::Refused { what, reason, sigma: None, from }, Rule::Agreement(rule));
            }
        }
    }

    pub fn send(&mut self, to: NodeId, packet: Packet) {
        self.out.push(Output::Send { to, packet });
    }

    pub fn timer(&mut self, timer: TimerId, after: Micros) {
        self.out.push(Output::SetTimer { timer, after });
    }

    pub fn cancel(&mut self, timer: TimerId) {
        self.out.push(Output::CancelTimer(timer));
    }

    pub fn rand32(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }
}
