//! What actors say about themselves: the one list of facts (CONSENSUS.md §4.8, WORLD.md §8).
//!
//! A fact becomes an effect of the trace. It holds only what its actor knows at that moment; others are named by record
//! id (`rid`), which the reader of a trace resolves through the `KeyAccepted` of the owner.

use super::actor::ActorId;
use crate::clmmsc::Check;
use crate::ledger::{Digest, Micros};
use crate::pbft;
use serde::{Deserialize, Serialize};

/// The acceptance rule that decided, from whichever floor it comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Rule {
    /// A check of the scheme: V1–V7, E1–E5, R1–R11 and those of requests and lists.
    Scheme(Check),
    /// A rule of agreement.
    Agreement(pbft::Rule),
    Actor(ActorRule),
}

impl From<Check> for Rule {
    fn from(check: Check) -> Self {
        Rule::Scheme(check)
    }
}

impl From<ActorRule> for Rule {
    fn from(rule: ActorRule) -> Self {
        Rule::Actor(rule)
    }
}

impl Rule {
    /// Short id shown and searched for, such as `V5`, `PP-10`, `EN-1`.
    pub fn id(self) -> &'static str {
        match self {
            Rule::Scheme(r) => r.id(),
            Rule::Agreement(r) => r.id(),
            Rule::Actor(r) => r.id(),
        }
    }

    /// Where the rule comes from: section of the paper, of OSDI'99 or of the scheme.
    pub fn section(self) -> &'static str {
        match self {
            Rule::Scheme(r) => r.section(),
            Rule::Agreement(r) => r.section(),
            Rule::Actor(r) => r.section(),
        }
    }

    /// One sentence for the interface.
    pub fn text(self) -> &'static str {
        match self {
            Rule::Scheme(r) => r.text(),
            Rule::Agreement(r) => r.text(),
            Rule::Actor(r) => r.text(),
        }
    }
}

/// Rules of the actors themselves (WORLD.md §3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ActorRule {
    /// The KGC opens f_i.
    En1,
    /// The KGC delivers σ to the gateway of the EV.
    En2,
    /// A gateway broadcasts σ to its piles.
    En3,
    /// The scheduler of the CSC.
    En4,
    /// A pile dispatches power.
    En5,
    /// A pile bills.
    En6,
    /// A pile refuses to exceed its limits.
    En7,
    /// The KGC sends the list of pseudo-identities to the CSC.
    En8,
    /// A gateway judges complaints about what stands in its chain.
    En9,
    /// A gateway obeys what stands in its chain and keeps its area at its cap.
    En10,
}

impl ActorRule {
    pub fn id(self) -> &'static str {
        match self {
            ActorRule::En1 => "EN-1",
            ActorRule::En2 => "EN-2",
            ActorRule::En3 => "EN-3",
            ActorRule::En4 => "EN-4",
            ActorRule::En5 => "EN-5",
            ActorRule::En6 => "EN-6",
            ActorRule::En7 => "EN-7",
            ActorRule::En8 => "EN-8",
            ActorRule::En9 => "EN-9",
            ActorRule::En10 => "EN-10",
        }
    }

    pub fn section(self) -> &'static str {
        match self {
            ActorRule::En1 | ActorRule::En2 => "paper §4.2",
            ActorRule::En3 => "paper §4.3",
            ActorRule::En4 => "paper §3.1",
            ActorRule::En5 | ActorRule::En6 => "paper §4.4",
            ActorRule::En7 => "WORLD §7.4",
            ActorRule::En8 => "paper §4.1",
            ActorRule::En9 => "CLMMSC §11.3",
            ActorRule::En10 => "WORLD §7.4",
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            ActorRule::En1 => "The KGC opens each pseudo-identity f_i to find the real EV behind it.",
            ActorRule::En2 => "The KGC delivers σ to the gateway of the area where the EV is plugged in.",
            ActorRule::En3 => "A gateway that found σ valid broadcasts it to the piles of its area.",
            ActorRule::En4 => "The CSC plans the charging of all EVs within the caps, least slack first.",
            ActorRule::En5 => "The pile dispatches power according to the control information in m_i.",
            ActorRule::En6 => "The pile bills metered energy at the tariff in m_i.",
            ActorRule::En7 => "A pile never exceeds its own rating, whoever signed the command.",
            ActorRule::En8 => "The KGC sends the list of EV pseudo-identities to the CSC.",
            ActorRule::En9 => "A gateway judges a complaint only about a ciphertext that stands in its chain.",
            ActorRule::En10 => {
                "A gateway obeys a command once it stands in its chain, and grants no more than its area may draw."
            }
        }
    }
}

/// The two voting rounds after the pre-prepare.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum VoteKind {
    Prepare,
    Commit,
}

/// A sub-step worth showing, of signcryption, acceptance, block building or unsigncryption.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Op {
    /// T = t·P.
    OneTimeKey,
    /// Z_i = t·PK_i and k_i, per receiver.
    SharedSecrets,
    /// Entries sealed under k_i.
    SealEntries,
    /// Entries sorted by tag.
    SortByTag,
    /// Merkle root over the entries or over a block.
    MerkleRoot,
    /// α under the sender's own key, closed into the capsule.
    InnerSignature,
    /// Public signature under PK' + b·T.
    OuterSignature,
    /// d·P = R + h·Ppub at the user.
    AcceptKey,
    /// Z_i = sk_i·T in the EV.
    Decapsulate,
    /// AEAD opening at the pile.
    OpenEntry,
    /// α checked against the pinned directory.
    CheckSender,
}

/// One line of a plan: the EV's record and the first limit ordered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlanLine {
    /// Record id of the EV.
    pub rid: Digest,
    /// Limit of the first period in W.
    pub limit_w: i32,
    /// Number of schedule periods.
    pub periods: u8,
}

/// What happened at an actor. Amounts: power W, energy µJ, money in minor units, times in unix seconds. Rare facts box what is
/// large, for every effect takes the room of the largest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FactKind {
    // ---- phase 1: key issuance
    SetUp {
        params_id: Digest,
    },
    /// The KGC issued `count` records of `class` (1 ID, 2 TK, 3 SS) to `of`.
    Registered {
        of: ActorId,
        class: u8,
        count: u32,
    },
    PseudonymIssued {
        of: ActorId,
        f: Digest,
    },
    GenesisMade {
        network_id: Digest,
    },
    ListSent {
        csc: ActorId,
        count: u32,
    },
    Attached {
        ev: ActorId,
        css: ActorId,
    },
    /// d·P = R + h·Ppub held; `rid` is the record (of the first one if `count` > 1).
    KeyAccepted {
        rid: Digest,
        class: u8,
        count: u32,
    },
    KeyRefused {
        error: String,
    },

    // ---- phase 2: plug-in, signcryption, routing
    PluggedIn {
        cp: ActorId,
    },
    Departed {
        cp: ActorId,
    },
    /// The CSC received an upload (flow 4) of the EV with record `rid`, and with it so many receipts.
    Uploaded {
        rid: Digest,
        receipts: u16,
        soc_ppm: u32,
        target_ppm: u32,
        departure: u64,
    },
    Planned {
        lines: Vec<PlanLine>,
    },
    Step {
        op: Op,
        count: u32,
        cost_us: u32,
    },
    Signcrypted {
        sigma: Digest,
        flow: u8,
        n: u32,
        l: u32,
    },
    Routed {
        sigma: Digest,
        gateways: Vec<ActorId>,
    },
    /// No block took σ while it lived: KGC or CSC no longer send it on.
    Expired {
        sigma: Digest,
    },
    /// Public verification V1–V6; a failure names its error and its check is the effect's rule.
    Verified {
        sigma: Digest,
        error: Option<String>,
    },

    // ---- phase 3: agreement
    DataSetSent {
        number: u64,
        count: u32,
    },
    DataSetMerged {
        from: ActorId,
        count: u32,
    },
    PrePrepared {
        view: u64,
        seq: u64,
        digest: Digest,
        count: u32,
    },
    Voted {
        vote: VoteKind,
        view: u64,
        seq: u64,
        digest: Digest,
    },
    /// A distinct valid vote was counted: `have` of `need`.
    VoteCounted {
        vote: VoteKind,
        view: u64,
        seq: u64,
        digest: Digest,
        from: ActorId,
        have: u16,
        need: u16,
    },
    VoteRefused {
        vote: VoteKind,
        view: u64,
        seq: u64,
        from: ActorId,
        reason: String,
    },
    Held {
        what: String,
        from: ActorId,
    },
    Prepared {
        view: u64,
        seq: u64,
        digest: Digest,
    },
    Committed {
        view: u64,
        seq: u64,
        digest: Digest,
    },
    /// Slot executed; `voids` ordered ciphertexts had no effect.
    Executed {
        seq: u64,
        digest: Digest,
        applied: u32,
        voids: u32,
    },
    BlockAppended {
        height: u64,
        header: Digest,
        parent: Box<Digest>,
        count: u32,
        sigmas: Vec<Digest>,
    },
    Sealed {
        height: u64,
        header: Digest,
    },
    Published {
        height: u64,
        header: Digest,
    },
    ViewChange {
        target: u64,
        reason: String,
    },
    /// The gateway entered `view`; `carried` slots were fixed by the NEW-VIEW.
    NewView {
        view: u64,
        carried: u32,
    },
    BodyFetched {
        seq: u64,
        digest: Digest,
    },
    /// Signed statements convince this gateway that `culprit` is faulty.
    Evidence {
        culprit: ActorId,
        class: pbft::Class,
    },

    // ---- phase 4: unsigncryption, power, bills
    KeyReleased {
        sigma: Digest,
    },
    Located {
        sigma: Digest,
        index: u32,
        comparisons: u32,
    },
    NotAReceiver {
        sigma: Digest,
    },
    Opened {
        sigma: Digest,
        flow: u8,
        error: Option<String>,
    },
    /// Against the protocol, what only this actor may know of a ciphertext goes to `to` in clear.
    Leaked {
        sigma: Digest,
        to: ActorId,
    },
    Authenticated {
        sigma: Digest,
        sender: Digest,
    },
    Commanded {
        flow: u8,
        kind: u8,
    },
    /// A pile begins to serve a car that nobody has ordered anything for, at its default limit and tariff.
    Started {
        transaction: u64,
        at: Micros,
    },
    Dispatched {
        transaction: u64,
        limit_w: i32,
        power_w: i32,
    },
    Metered {
        transaction: u64,
        energy_uj: i64,
        power_w: i32,
    },
    Billed {
        transaction: u64,
        energy_uj: i64,
        total: i64,
        currency: String,
        tariff: u32,
        heights: Vec<Option<u64>>,
        last: bool,
    },

    /// Something offered to this actor was refused; the effect's rule names the check.
    Refused {
        what: String,
        reason: String,
        sigma: Option<Digest>,
        from: Option<ActorId>,
    },

    /// A car published Z_i of its entry with a proof; `rid` is its record.
    Complained {
        sigma: Digest,
        rid: Digest,
    },
    /// What anybody finds in the entry complained about: it opens (`sender` is then public), or the error its receiver met.
    Judged {
        sigma: Digest,
        rid: Box<Digest>,
        height: u64,
        sender: Option<Box<Digest>>,
        error: Option<String>,
    },
    /// The KGC names the user behind the ticket of a stored σ, with that user's own request as proof.
    TicketOpened {
        sigma: Digest,
        uid: u64,
    },
    /// What a gateway thinks of such a claim: it holds against `owner`, or why it is void.
    ClaimJudged {
        sigma: Digest,
        owner: ActorId,
        error: Option<String>,
    },

    /// A gateway vouches for its state after a block, or (`stable`) a quorum does.
    Checkpoint {
        height: u64,
        state: Digest,
        stable: bool,
    },
    /// A proven state, or older blocks down to this height, were taken over from a peer.
    StateTransferred {
        height: u64,
        state: Digest,
    },
}
