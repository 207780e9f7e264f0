//! Packets on links as the trace names them (WORLD.md §4).

use crate::ledger::Digest;
use serde::{Deserialize, Serialize};

/// Number of a packet in the world's store: ask the worker for its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ItemId(pub u32);

/// Kind of a packet on a link (WORLD.md §4; `Pbft*` are the messages of CONSENSUS.md §2.6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum PacketTag {
    Request,
    Answer,
    List,
    Submit,
    Route,
    Area,
    /// σ of flow 4, 5 or 6 handed over directly.
    Direct(u8),
    Offer,
    Frame,
    Letter,
    DataSet,
    PrePrepare,
    Prepare,
    Commit,
    ViewChange,
    NewView,
    Fetch,
    Body,
    Seal,
    Publish,
    Evidence,
    Complaint,
    Claim,
    Ask,
    Draw,
    Grant,
    Upload,
    Checkpoint,
    Status,
    Blocks,
    Snapshot,
    Stable,
}

impl PacketTag {
    /// One of each name.
    pub const ALL: [PacketTag; 32] = [
        PacketTag::Request,
        PacketTag::Answer,
        PacketTag::List,
        PacketTag::Submit,
        PacketTag::Route,
        PacketTag::Area,
        PacketTag::Direct(4),
        PacketTag::Offer,
        PacketTag::Frame,
        PacketTag::Letter,
        PacketTag::DataSet,
        PacketTag::PrePrepare,
        PacketTag::Prepare,
        PacketTag::Commit,
        PacketTag::ViewChange,
        PacketTag::NewView,
        PacketTag::Fetch,
        PacketTag::Body,
        PacketTag::Seal,
        PacketTag::Publish,
        PacketTag::Evidence,
        PacketTag::Complaint,
        PacketTag::Claim,
        PacketTag::Ask,
        PacketTag::Draw,
        PacketTag::Grant,
        PacketTag::Upload,
        PacketTag::Checkpoint,
        PacketTag::Status,
        PacketTag::Blocks,
        PacketTag::Snapshot,
        PacketTag::Stable,
    ];

    /// Name in scenario files and logs (`route`, `pbft.prepare`).
    pub fn name(self) -> &'static str {
        match self {
            PacketTag::Request => "request",
            PacketTag::Answer => "answer",
            PacketTag::List => "list",
            PacketTag::Submit => "submit",
            PacketTag::Route => "route",
            PacketTag::Area => "area",
            PacketTag::Direct(_) => "direct",
            PacketTag::Offer => "offer",
            PacketTag::Frame => "frame",
            PacketTag::Letter => "letter",
            PacketTag::DataSet => "pbft.dataset",
            PacketTag::PrePrepare => "pbft.pre-prepare",
            PacketTag::Prepare => "pbft.prepare",
            PacketTag::Commit => "pbft.commit",
            PacketTag::ViewChange => "pbft.view-change",
            PacketTag::NewView => "pbft.new-view",
            PacketTag::Fetch => "pbft.fetch",
            PacketTag::Body => "pbft.body",
            PacketTag::Seal => "pbft.seal",
            PacketTag::Publish => "pbft.publish",
            PacketTag::Evidence => "pbft.evidence",
            PacketTag::Checkpoint => "pbft.checkpoint",
            PacketTag::Status => "pbft.status",
            PacketTag::Blocks => "pbft.blocks",
            PacketTag::Snapshot => "pbft.snapshot",
            PacketTag::Stable => "pbft.stable",
            PacketTag::Complaint => "complaint",
            PacketTag::Claim => "claim",
            PacketTag::Ask => "ask",
            PacketTag::Draw => "draw",
            PacketTag::Grant => "grant",
            PacketTag::Upload => "upload",
        }
    }
}

/// A packet as the trace knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PacketInfo {
    pub item: ItemId,
    pub tag: PacketTag,
    /// Length of its encoding in bytes.
    pub size: u32,
    /// The ciphertext it carries or is about.
    pub sigma: Option<Digest>,
    /// (view, seq) of a consensus message; a VIEW-CHANGE or NEW-VIEW has its target view and 0.
    pub slot: Option<(u64, u64)>,
}

/// Why a packet never arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum DropReason {
    Loss,
    Blocked,
    Crashed,
    Intervention,
    /// The link was full, and this was the oldest message on it.
    Crowded,
}
