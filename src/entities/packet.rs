//! Packets: what links carry, corrupt and show (WORLD.md §4). `u8 kind ‖ body`, decoded strictly.
//!
//! A σ travels as its bytes; whoever receives it verifies it, nobody trusts what a packet says about it.

use super::setup::Genesis;
use crate::clmmsc::ticket_opening::Claim;
use crate::clmmsc::verify::{sigma_id, ticket_of};
use crate::clmmsc::wire::HEADER;
use crate::clmmsc::{Params, SigmaId};
use crate::ledger::{Digest, Secs, Seq, Sigma};
use crate::pbft::Message;
use std::sync::Arc;

/// Bytes of a plug challenge.
pub type PlugId = [u8; 16];

/// One packet.
#[derive(Clone, Debug)]
pub enum Packet {
    /// CLQ1 wire.
    Request(Arc<[u8]>),
    /// CLA1 wire, or CLA0.
    Answer(Arc<[u8]>),
    /// Box("list", CLL1).
    List(Arc<[u8]>),
    /// σ of flow 1 (no gateways named) or 2 or 7.
    Submit {
        gateways: Vec<u16>,
        sigma: Arc<[u8]>,
    },
    /// σ for a gateway: the CIPHERTEXT of CONSENSUS.md §2.6.
    Route(Arc<[u8]>),
    /// σ for the piles of an area.
    Area(Arc<[u8]>),
    /// σ of flow 4, 5 or 6 for its one receiver.
    Direct(Arc<[u8]>),
    Pbft(Arc<Message>),
    /// A pile greets the car: fresh challenge, own record, rid of its gateway.
    Offer {
        plug: PlugId,
        pile: Box<[u8; 106]>,
        gateway: [u8; 32],
    },
    /// A session frame.
    Frame(Arc<[u8]>),
    /// Genesis as a paper letter: out of band, never altered or lost.
    Letter(Arc<Genesis>),
    /// A pile asks its gateway for so many W, or needs no more than so many from now on.
    Draw {
        wanted_w: i32,
    },
    /// The gateway's answer: the pile may draw so much until a unix second.
    Grant {
        limit_w: i32,
        until: u64,
    },
    /// σ of flow 4 on its way to the chain: car, pile, gateway.
    Upload(Arc<[u8]>),
    /// A car's complaint about its entry of a σ (CLC1 of CLMMSC.md §11.3), for gateways.
    Complaint {
        about: SigmaId,
        proof: Arc<[u8]>,
    },
    /// The KGC's claim who owns a ticket (CLMMSC.md §11.4), for gateways.
    Claim(Arc<Claim>),
    /// A follower's question for the published blocks from a height on.
    Ask {
        from: Seq,
    },
}

/// σ as the ledger sees it; `None` if the bytes are shorter than a header or hold no ticket.
pub fn parse_sigma(params: &Params, bytes: &[u8]) -> Option<Sigma> {
    if bytes.len() < HEADER {
        return None;
    }
    let ticket = ticket_of(bytes)?;
    let u32_at = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    let created = u64::from_le_bytes(bytes.get(12..20)?.try_into().ok()?);
    let expires = Secs(created.saturating_add(u64::from(u32_at(20)?)));
    let (id, nullifier) = (Digest(sigma_id(params, bytes).0), Digest(ticket.rid(params).0));
    Some(Sigma::new(bytes, id, nullifier, u32_at(8)?, expires))
}

impl Packet {
    /// The byte in front of the body.
    pub fn code(&self) -> u8 {
        match self {
            Packet::Request(_) => 1,
            Packet::Answer(_) => 2,
            Packet::List(_) => 3,
            Packet::Submit { .. } => 4,
            Packet::Route(_) => 5,
            Packet::Area(_) => 6,
            Packet::Direct(_) => 7,
            Packet::Pbft(_) => 8,
            Packet::Offer { .. } => 9,
            Packet::Frame(_) => 10,
            Packet::Draw { .. } | Packet::Grant { .. } => 11,
            Packet::Upload(_) => 12,
            Packet::Complaint { .. } => 13,
            Packet::Claim(_) => 14,
            Packet::Ask { .. } => 15,
            Packet::Letter(_) => 0,
        }
    }

    /// The σ that the packet is for, as bytes.
    pub fn sigma(&self) -> Option<&Arc<[u8]>> {
        match self {
            Packet::Submit { sigma, .. } | Packet::Route(sigma) | Packet::Area(sigma) => Some(sigma),
            Packet::Direct(sigma) | Packet::Upload(sigma) => Some(sigma),
            _ => None,
        }
    }

    /// Length of the encoding.
    pub fn size(&self) -> usize {
        match self {
            Packet::Pbft(message) => 1 + message.size(),
            _ => self.encode().len(),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.code()];
        match self {
            Packet::Request(b) | Packet::Answer(b) | Packet::List(b) | Packet::Frame(b) => out.extend(&b[..]),
            Packet::Route(b) | Packet::Area(b) | Packet::Direct(b) | Packet::Upload(b) => out.extend(&b[..]),
            Packet::Draw { wanted_w } => out.extend(wanted_w.to_le_bytes()),
            Packet::Grant { limit_w, until } => {
                out.extend(limit_w.to_le_bytes());
                out.extend(until.to_le_bytes());
            }
            Packet::Submit { gateways, sigma } => {
                out.push(gateways.len() as u8);
                gateways.iter().for_each(|g| out.extend(g.to_le_bytes()));
                out.extend(&sigma[..]);
            }
            Packet::Pbft(message) => out.extend(message.encode()),
            Packet::Offer { plug, pile, gateway } => {
                out.extend(plug);
                out.extend(**pile);
                out.extend(gateway);
            }
            Packet::Complaint { about, proof } => {
                out.extend(about.0);
                out.extend(&proof[..]);
            }
            Packet::Claim(claim) => out.extend(claim.encode()),
            Packet::Ask { from } => out.extend(from.0.to_le_bytes()),
            Packet::Letter(genesis) => out.extend(genesis.bytes()),
        }
        out
    }

    /// Inverse of [`Packet::encode`] for everything that travels on links.
    pub fn decode(bytes: &[u8], params: &Params) -> Option<Packet> {
        let (code, body) = bytes.split_first()?;
        let all = || Arc::<[u8]>::from(body);
        Some(match code {
            1 => Packet::Request(all()),
            2 => Packet::Answer(all()),
            3 => Packet::List(all()),
            4 => {
                let (count, rest) = body.split_first()?;
                let (list, sigma) = rest.split_at_checked(usize::from(*count) * 2)?;
                let gateways = list.chunks_exact(2).map(|g| u16::from_le_bytes([g[0], g[1]])).collect();
                Packet::Submit { gateways, sigma: sigma.into() }
            }
            5 => Packet::Route(all()),
            6 => Packet::Area(all()),
            7 => Packet::Direct(all()),
            8 => Packet::Pbft(Arc::new(Message::decode(body, &|b: &[u8]| parse_sigma(params, b)).ok()?)),
            9 => Packet::Offer {
                plug: body.get(..16)?.try_into().ok()?,
                pile: Box::new(body.get(16..122)?.try_into().ok()?),
                gateway: body.get(122..)?.try_into().ok()?,
            },
            10 => Packet::Frame(all()),
            11 => {
                let (watts, rest) = body.split_first_chunk()?;
                let watts = i32::from_le_bytes(*watts);
                match rest.len() {
                    0 => Packet::Draw { wanted_w: watts },
                    _ => Packet::Grant { limit_w: watts, until: u64::from_le_bytes(rest.try_into().ok()?) },
                }
            }
            12 => Packet::Upload(all()),
            15 => Packet::Ask { from: Seq(u64::from_le_bytes(body.try_into().ok()?)) },
            14 => Packet::Claim(Arc::new(Claim::decode(body)?)),
            13 => {
                let (about, proof) = body.split_first_chunk()?;
                Packet::Complaint { about: SigmaId(*about), proof: proof.into() }
            }
            _ => return None,
        })
    }
}
