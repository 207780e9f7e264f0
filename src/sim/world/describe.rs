//! What the trace says about a packet: its kind, its size, the ciphertext and the slot it is about.

use crate::clmmsc::Params;
use crate::entities::Packet;
use crate::ledger::{Digest, Sigma};
use crate::pbft::Message;
use crate::sim::trace::{ItemId, PacketInfo, PacketTag};
use std::sync::Arc;

/// A packet as the trace shows it.
pub(crate) fn describe(params: &Params, item: ItemId, packet: &Packet) -> PacketInfo {
    let sigma = packet.sigma().map(|bytes| Digest(crate::clmmsc::verify::sigma_id(params, bytes).0));
    let (tag, slot) = match packet {
        Packet::Request(_) => (PacketTag::Request, None),
        Packet::Answer(_) => (PacketTag::Answer, None),
        Packet::List(_) => (PacketTag::List, None),
        Packet::Submit { .. } => (PacketTag::Submit, None),
        Packet::Route(_) => (PacketTag::Route, None),
        Packet::Area(_) => (PacketTag::Area, None),
        Packet::Direct(sigma) => (PacketTag::Direct(sigma.get(6).copied().unwrap_or(0)), None),
        Packet::Offer { .. } => (PacketTag::Offer, None),
        Packet::Frame(_) => (PacketTag::Frame, None),
        Packet::Letter(_) => (PacketTag::Letter, None),
        Packet::Complaint { .. } => (PacketTag::Complaint, None),
        Packet::Claim(_) => (PacketTag::Claim, None),
        Packet::Ask { from } => (PacketTag::Ask, Some((0, from.0))),
        Packet::Draw { .. } => (PacketTag::Draw, None),
        Packet::Grant { .. } => (PacketTag::Grant, None),
        Packet::Upload(_) => (PacketTag::Upload, None),
        Packet::Pbft(msg) => agreement(msg),
    };
    let sigma = match packet {
        Packet::Pbft(msg) => carried(msg),
        Packet::Complaint { about, .. } => Some(Digest(about.0)),
        _ => sigma,
    };
    PacketInfo { item, tag, size: packet.size() as u32, sigma, slot }
}

fn agreement(msg: &Message) -> (PacketTag, Option<(u64, u64)>) {
    let tag = match msg {
        Message::Ciphertext(_) => PacketTag::Route,
        Message::DataSet(_) => PacketTag::DataSet,
        Message::PrePrepare(..) => PacketTag::PrePrepare,
        Message::Prepare(_) => PacketTag::Prepare,
        Message::Commit(_) => PacketTag::Commit,
        Message::ViewChange(_) => PacketTag::ViewChange,
        Message::NewView(_) => PacketTag::NewView,
        Message::Fetch(_) => PacketTag::Fetch,
        Message::Body(_) => PacketTag::Body,
        Message::Checkpoint(_) => PacketTag::Checkpoint,
        Message::Status(_) => PacketTag::Status,
        Message::Blocks(_) => PacketTag::Blocks,
        Message::Snapshot(_) => PacketTag::Snapshot,
        Message::Stable(_) => PacketTag::Stable,
        Message::Seal(_) => PacketTag::Seal,
        Message::Publish(_) => PacketTag::Publish,
        Message::Evidence(_) => PacketTag::Evidence,
    };
    let slot = match msg {
        Message::Publish(p) => Some((p.cert.view.0, p.cert.seq.0)),
        Message::ViewChange(vc) => Some((vc.target().0, 0)),
        Message::NewView(nv) => Some((nv.view().0, 0)),
        Message::Body(body) => Some((0, body.header.seq.0)),
        Message::Checkpoint(s) => Some((0, s.statement.seq.0)),
        Message::Status(m) => Some((m.signed.statement.view.0, m.signed.statement.seq.0)),
        Message::Snapshot(s) => Some((0, s.header.height.0)),
        Message::Stable(proof) => Some((0, proof.seq.0)),
        _ => msg.signed().filter(|(kind, _)| kind.is_vote()).map(|(_, s)| (s.statement.view.0, s.statement.seq.0)),
    };
    (tag, slot)
}

/// The one ciphertext in a message of agreement, if it is about one.
fn carried(msg: &Message) -> Option<Digest> {
    let one = |txs: &[Arc<Sigma>]| match txs {
        [tx] => Some(tx.id),
        _ => None,
    };
    match msg {
        Message::Ciphertext(sigma) => Some(sigma.id),
        Message::DataSet(set) => one(&set.items),
        Message::PrePrepare(_, proposal) | Message::Body(proposal) => one(&proposal.txs),
        Message::Publish(p) => p.block.proposal.as_ref().and_then(|proposal| one(&proposal.txs)),
        _ => None,
    }
}
