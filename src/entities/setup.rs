//! The paper letters: what every actor is told before the run, and what genesis adds (WORLD.md §5).
//!
//! They stand for the paper's secure channel and for the ceremony of the consortium. All of it is public but the enrolment
//! codes, which each actor gets for itself alone.

use super::actor::{ActorId, Role};
use super::stub::Crypto;
use crate::clmmsc::{Params, PublicRecord, RecordId};
use crate::ledger::{Digest, Micros, Secs};
use crate::pbft::{Config, NodeId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One price from `start` seconds after the order's begin, per kWh in 1/1000 of the minor currency unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Price {
    pub start: u32,
    pub price: u32,
    pub feed_in: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TariffTable {
    pub id: u32,
    pub currency: [u8; 3],
    pub periods: Vec<Price>,
}

/// Timers and sizes of agreement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Agreement {
    pub t0: Micros,
    pub pipeline: u64,
    pub batch_max: u64,
    pub batch_bytes: u64,
    pub batch_delay: Micros,
    pub relay_after: Micros,
    pub backoff_cap: u32,
    pub fetch_timeout: Micros,
    /// Seconds.
    pub drift: u64,
    /// Checkpoint interval and window, in slots.
    pub checkpoint: u64,
    pub window: u64,
    pub pool_max: u64,
    pub resend: Micros,
    pub status_every: Micros,
    /// Blocks kept; all if `None`.
    pub retain: Option<u64>,
    /// Blocks per view; 0 is without end.
    pub rotate_every: u64,
}

/// Tickets per epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tickets {
    pub csc: u16,
    pub css: u16,
    pub ev: u16,
}

/// What everybody knows from the start.
#[derive(Clone, Debug)]
pub struct Setup {
    pub params: Params,
    pub kgc: PublicRecord,
    /// Unix seconds at virtual time 0.
    pub genesis_time: u64,
    pub n: u16,
    pub csc: u16,
    pub cp: u16,
    pub ev: u16,
    pub areas: u16,
    /// Life of every σ in seconds.
    pub ttl: u32,
    /// Whether dummies hide how many cars a command is for (CLMMSC.md §11.2).
    pub pad: bool,
    pub tickets: Tickets,
    pub answer_delay: Micros,
    /// Uploads go through pile and gateway into the chain.
    pub store_uploads: bool,
    /// Cars send their state at full multiples of this on the clock; 0: at plug-in only.
    pub upload_every: Micros,
    /// The CSC plans all cars anew at full multiples of this, if anybody sent news; 0: never.
    pub plan_every: Micros,
    /// W.
    pub feeder_cap_w: u32,
    pub area_cap_w: Vec<u32>,
    pub rating_w: u32,
    pub tariff: TariffTable,
    pub agreement: Agreement,
    /// Whether signatures are real.
    pub crypto: Crypto,
}

impl Setup {
    /// Node numbers: gateways, KGC, CSC, CP, EV; so replica i is node i.
    pub fn node(&self, actor: ActorId) -> NodeId {
        let before = match actor.role {
            Role::Css | Role::Outsider => 0,
            Role::Kgc => self.n,
            Role::Csc => self.n + 1,
            Role::Cp => self.n + 1 + self.csc,
            Role::Ev => self.n + 1 + self.csc + self.cp,
        };
        NodeId(before.saturating_add(actor.index))
    }

    /// Inverse of [`Setup::node`].
    pub fn actor(&self, node: NodeId) -> Option<ActorId> {
        let mut index = node.0;
        for (role, count) in
            [(Role::Css, self.n), (Role::Kgc, 1), (Role::Csc, self.csc), (Role::Cp, self.cp), (Role::Ev, self.ev)]
        {
            if index < count {
                return Some(ActorId::new(role, index));
            }
            index -= count;
        }
        None
    }

    pub fn kgc_node(&self) -> NodeId {
        NodeId(self.n)
    }

    pub fn unix(&self, now: Micros) -> Secs {
        Secs(self.genesis_time.saturating_add(now.0 / 1_000_000))
    }

    /// Begin of a unix second on the virtual clock; 0 for what lies before the run.
    pub fn micros(&self, unix: u64) -> Micros {
        Micros(unix.saturating_sub(self.genesis_time).saturating_mul(1_000_000))
    }

    /// From now to the next full multiple of a period on the clock; `None` if there is no period.
    pub fn until_next(&self, now: Micros, every: Micros) -> Option<Micros> {
        let since_day = self.genesis_time.saturating_mul(1_000_000).saturating_add(now.0);
        (every.0 > 0).then(|| Micros(every.0 - since_day % every.0))
    }

    pub fn epoch(&self, now: Micros) -> u32 {
        self.params.epoch(self.unix(now).0)
    }

    /// Area of a pile (index from 0).
    pub fn area_of(&self, pile: u16) -> u16 {
        (u32::from(pile) * u32::from(self.areas) / u32::from(self.cp.max(1))) as u16
    }

    /// Index of the gateway that an area belongs to.
    pub fn gateway_of(&self, area: u16) -> u16 {
        (area + 1) % self.n.max(1)
    }

    /// Piles that belong to a gateway.
    pub fn piles_of(&self, gateway: u16) -> Vec<ActorId> {
        let mine = |pile: &u16| self.gateway_of(self.area_of(*pile)) == gateway;
        (0..self.cp).filter(mine).map(|pile| ActorId::new(Role::Cp, pile)).collect()
    }

    /// What a pile of this area may draw when its gateway does not answer: its cap over the number of its piles, in W.
    pub fn share_w(&self, area: u16) -> u32 {
        let piles = (0..self.cp).filter(|pile| self.area_of(*pile) == area).count() as u32;
        self.area_cap_w.get(usize::from(area)).copied().unwrap_or(0) / piles.max(1)
    }

    /// Everybody that genesis pins.
    pub fn pinned(&self) -> impl Iterator<Item = ActorId> {
        let of = |role, count| (0..count).map(move |index| ActorId::new(role, index));
        of(Role::Css, self.n).chain(of(Role::Csc, self.csc)).chain(of(Role::Cp, self.cp))
    }
}

/// The network's beginning: who its gateways, CSCs and piles are, and how they agree.
#[derive(Clone, Debug)]
pub struct Genesis {
    pub config: Arc<Config>,
    /// Pinned ID records, in the order of [`Setup::pinned`].
    pub directory: Vec<(ActorId, PublicRecord)>,
}

impl Genesis {
    pub fn record(&self, actor: ActorId) -> Option<&PublicRecord> {
        self.directory.iter().find(|(a, _)| *a == actor).map(|(_, record)| record)
    }

    pub fn owner(&self, rid: &[u8; 32]) -> Option<ActorId> {
        self.directory.iter().find(|(_, record)| record.rid.0 == *rid).map(|(actor, _)| *actor)
    }

    /// Everybody of a role.
    pub fn pinned(&self, role: Role) -> BTreeSet<RecordId> {
        self.directory.iter().filter(|(actor, _)| actor.role == role).map(|(_, record)| record.rid).collect()
    }

    pub fn network_id(&self) -> Digest {
        self.config.network_id
    }

    /// What the letter says, for those who look at it: network id, then all pinned records.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.config.network_id.0.to_vec();
        self.directory.iter().for_each(|(_, record)| out.extend(record.record.0));
        out
    }
}
