//! Live invariants (CONSENSUS.md §6, WORLD.md §7.6), looked after at every effect of every run.
//!
//! They see the effects and, where these do not carry enough, what the world shows them. They influence nothing: the same
//! run without them would do the same.

mod agreement;
mod carry;
mod follow;
mod keep;
mod liveness;
mod plant;
mod proofs;
mod stay;
#[cfg(test)]
mod told;

pub use agreement::Agreement;
pub use carry::Carry;
pub use follow::Follow;
pub use keep::Keep;
pub use liveness::{Healing, Liveness};
pub use plant::{Owed, Station};
pub use proofs::Proofs;

use crate::clmmsc::PublicRecord;
use crate::entities::actor::ActorId;
use crate::entities::{Entity, Genesis, Packet, Setup};
use crate::pbft::Quorum;
use crate::sim::trace::{Effect, ItemId};

/// What an effect broke.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// An invariant that must hold does not.
    Broken { id: &'static str, text: String },
    /// A G invariant fell with more than f faulty gateways: outside the theorem.
    Void { id: &'static str, text: String },
}

impl Finding {
    fn broken(id: &'static str, text: String) -> Self {
        Finding::Broken { id, text }
    }
}

/// What the world shows beside the effects.
pub struct Sight<'a> {
    pub setup: &'a Setup,
    pub genesis: Option<&'a Genesis>,
    /// Pinned gateways in order, once genesis is made.
    pub gateways: &'a [PublicRecord],
    /// An actor as it is after the step that made the effect.
    pub entity: &'a dyn Fn(ActorId) -> Option<&'a Entity>,
    /// A packet as it entered a link.
    pub packet: &'a dyn Fn(ItemId) -> Option<&'a Packet>,
    /// Nothing that has reached the actor waits for it.
    pub idle: &'a dyn Fn(ActorId) -> bool,
}

/// All invariants of a run.
#[derive(Clone, Debug)]
pub struct Invariants {
    quorum: Quorum,
    agreement: Agreement,
    carry: Carry,
    follow: Follow,
    keep: Keep,
    liveness: Liveness,
    proofs: Proofs,
    /// The world also tells it of every change at a plug.
    pub station: Station,
}

impl Invariants {
    /// For these gateways on a network that heals, if it does.
    pub fn new(quorum: Quorum, healing: Option<Healing>) -> Self {
        Invariants {
            quorum,
            agreement: Agreement::new(quorum),
            carry: Carry::default(),
            follow: Follow::default(),
            keep: Keep::new(healing),
            liveness: Liveness::new(healing),
            proofs: Proofs::default(),
            station: Station::default(),
        }
    }

    /// Looks at the next effect; most break nothing.
    pub fn observe(&mut self, effect: &Effect, sight: &Sight<'_>) -> Vec<Finding> {
        let mut found: Vec<Finding> = self.agreement.observe(effect).into_iter().collect();
        let sizes = (self.quorum.strong(), self.quorum.f());
        found.extend(self.carry.observe(effect, &self.agreement, sizes.0, sight));
        found.extend(self.follow.observe(effect, &self.agreement, sight));
        found.extend(self.liveness.observe(effect, &self.agreement, sizes, sight));
        found.extend(self.keep.observe(effect, &self.agreement, &self.liveness, sizes.1, sight));
        found.extend(self.proofs.observe(effect, &self.agreement, sight));
        found.extend(self.station.observe(effect, sight));
        found
    }
}
