//! Frames between the page and its engine: commands one way, replies the other (PAGE.md §2.2).
//!
//! Frame = `[u8 protocol][u32le request][postcard(enum)]`. Both ends read strictly: another protocol, bytes left over or
//! too many bytes make a [`BadFrame`], never a panic.

use crate::entities::actor::ActorId;
use crate::ledger::{Digest, Micros};
use crate::sim::inspect::{Equation, ItemRef, ItemView};
use crate::sim::intervention::Intervention;
use crate::sim::state::RunInfo;
use crate::sim::timelines::{BranchId, Until};
use crate::sim::trace::{Effect, EffectId, ItemId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Version of the frames; the first byte of each.
pub const PROTOCOL: u8 = 1;
/// Longest command and longest reply in bytes, head included.
pub const MAX_COMMAND: usize = 1 << 20;
pub const MAX_REPLY: usize = 4 << 20;
/// Encoded effects in one chunk end at the first effect that reaches this many bytes.
pub const CHUNK_BYTES: usize = 64 << 10;
/// Chunks sent and not yet acknowledged, at most.
pub const CREDITS: u32 = 4;
const HEAD: usize = 5;

/// What the page asks for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Build the world of a human link and run its first branch.
    Open {
        link: String,
        until: Until,
        slice_ms: u16,
    },
    /// Run a branch on; the engine reads its messages between slices.
    Continue {
        branch: BranchId,
        until: Until,
        slice_ms: u16,
    },
    /// Stop at the end of the slice.
    Halt,
    /// Credit for one chunk.
    Ack {
        branch: BranchId,
        chunk: u32,
    },
    Fork {
        branch: BranchId,
        #[serde(with = "as_json")]
        what: Intervention,
    },
    Discard {
        branch: BranchId,
    },
    /// Bytes and fields of a packet or record.
    Inspect {
        branch: BranchId,
        item: ItemRef,
    },
    /// The public checks of a packet, done again now.
    Reverify {
        branch: BranchId,
        item: ItemId,
    },
    /// What everybody waits for after this effect.
    Waiting {
        branch: BranchId,
        at: EffectId,
    },
    /// Ends the engine by a panic; only a run opened with `test=1` obeys.
    Panic,
}

/// What the engine answers, or says by itself (request 0).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The first frame of an engine.
    Hello {
        engine: String,
        protocol: u8,
    },
    Opened {
        info: RunInfo,
    },
    Chunk(Chunk),
    Stopped {
        branch: BranchId,
        reason: Reason,
        events: u32,
        time: Micros,
        digest: Digest,
    },
    /// A new branch; the page has its first `shared` effects already, from the parent.
    Forked {
        branch: BranchId,
        parent: BranchId,
        shared: u32,
        name: String,
        #[serde(with = "as_json")]
        interventions: Vec<Intervention>,
    },
    Discarded {
        branch: BranchId,
    },
    Item(ItemView),
    Reverified {
        equations: Vec<Equation>,
        measured_us: u32,
    },
    /// Who waits, and for what in words.
    Waiting {
        list: Vec<(ActorId, String)>,
    },
    Refused {
        why: Why,
    },
    /// Said from the panic hook, just before the engine is gone.
    Panicked {
        message: String,
        place: String,
    },
}

/// Consecutive effects of a branch and the digest after the last of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Chunk {
    pub branch: BranchId,
    /// Number of this chunk in its run, from 0.
    pub chunk: u32,
    pub first: EffectId,
    pub effects: Vec<Effect>,
    pub digest: Digest,
}

/// Why a run stopped.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Reason {
    Reached,
    /// The scenario's end.
    Quiet,
    Halted,
    Violation {
        invariant: String,
        effect: EffectId,
    },
    /// The branch holds as many effects as a branch may.
    Limit,
}

/// Why a command was not obeyed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum Why {
    #[error("the engine did not understand the page: {0}")]
    BadFrame(BadFrame),
    #[error("no run is open")]
    NoRun,
    #[error("there is no branch {0}")]
    NoBranch(u16),
    #[error("the engine no longer has these bytes")]
    NoItem,
    #[error("this message has no public check of its own")]
    NoCheck,
    #[error("{0}")]
    Link(String),
    #[error("{0}")]
    Intervention(String),
    #[error("only a test may ask for that")]
    NotATest,
}

/// What is wrong with a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum BadFrame {
    #[error("a frame has at least {HEAD} bytes, this one has {0}")]
    Short(u32),
    #[error("a frame of {0} bytes is too long")]
    Long(u32),
    #[error("the frame is of protocol {0}, not {PROTOCOL}")]
    Protocol(u8),
    #[error("the content of frame {0} does not parse")]
    Content(u32),
}

/// Interventions travel in their documented JSON form.
mod as_json {
    use serde::de::{DeserializeOwned, Error};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<T: Serialize, S: Serializer>(value: &T, s: S) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(value).map_err(serde::ser::Error::custom)?;
        s.serialize_str(&text)
    }

    pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(d: D) -> Result<T, D::Error> {
        let text = String::deserialize(d)?;
        serde_json::from_str(&text).map_err(D::Error::custom)
    }
}

/// A frame of `request` (0: nobody asked).
pub fn encode<T: Serialize>(request: u32, content: &T) -> Vec<u8> {
    let mut head = vec![PROTOCOL];
    head.extend(request.to_le_bytes());
    // Plain data into memory: the only failure would be a value that cannot be written, and then the reader says so.
    postcard::to_extend(content, head).unwrap_or_default()
}

/// Inverse of [`encode`].
///
/// # Errors
/// If the frame is longer than `max`, of another protocol, cut off, or followed by anything.
pub fn decode<T: DeserializeOwned>(frame: &[u8], max: usize) -> Result<(u32, T), BadFrame> {
    let len = frame.len().min(u32::MAX as usize) as u32;
    if frame.len() > max {
        return Err(BadFrame::Long(len));
    }
    let [protocol, a, b, c, d, content @ ..] = frame else { return Err(BadFrame::Short(len)) };
    if *protocol != PROTOCOL {
        return Err(BadFrame::Protocol(*protocol));
    }
    let request = u32::from_le_bytes([*a, *b, *c, *d]);
    match postcard::take_from_bytes(content) {
        Ok((content, [])) => Ok((request, content)),
        _ => Err(BadFrame::Content(request)),
    }
}
