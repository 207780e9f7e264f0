//! A scenario: everything that decides a run but the seed's randomness and a person's interventions (CONSENSUS.md §4.9,
//! WORLD.md §9).
//!
//! TOML for people, JSON for programs, both by the types of this file; unknown keys are refused. Only `load` makes a
//! scenario from text, and every scenario it returns is within bounds (`check`).

mod check;
mod generate;
mod load;
mod order;
mod presets;
mod station;

pub use check::MAX_END;
pub use generate::Generate;
pub use load::{MAX_TEXT, ScenarioError, plain};
pub use order::{AreaLimitOrder, AvailabilityOrder, DefaultLimitOrder, Order, OrderDo, StopOrder, TariffOrder};
pub use presets::{PRESETS, Preset};
pub use station::{Car, Fleet, Station, Stay, Tariff, TariffPeriod};

use crate::entities::actor::{ActorId, Role};
use crate::entities::stub::Crypto;
use crate::ledger::Micros;
use crate::sim::intervention::{Action, Behave, Intervention, Torn};
use crate::sim::network::{LinkRule, Network};
use crate::sim::units::Dur;
use serde::{Deserialize, Serialize};

/// Version of the scenario's shape.
pub const SCHEMA: u32 = 1;
/// Determinism version: changed whenever any digest may change.
pub const ENGINE: &str = "1";

/// A whole scenario with every value written out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub voltcast: u32,
    #[serde(default = "engine")]
    pub engine: String,
    pub name: String,
    /// One sentence for lists.
    #[serde(default)]
    pub about: String,
    #[serde(default, deserialize_with = "seed", serialize_with = "write_seed")]
    pub seed: u64,
    /// Virtual time at which the run ends.
    #[serde(default = "end")]
    pub end: Dur,
    /// Unix seconds at virtual time 0; a multiple of `policy.epoch_len`.
    #[serde(default = "genesis_time")]
    pub genesis_time: u64,
    #[serde(default)]
    pub bootstrap: Bootstrap,
    #[serde(default)]
    pub gateways: Gateways,
    #[serde(default)]
    pub policy: Policy,
    #[serde(default)]
    pub entities: Entities,
    #[serde(default)]
    pub workload: Workload,
    #[serde(default)]
    pub station: Station,
    #[serde(default)]
    pub network: Network,
    #[serde(default)]
    pub cost: DeviceFactors,
    #[serde(default)]
    pub fleet: Fleet,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<Order>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fault: Vec<Fault>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behaviour: Vec<Behave>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intervention: Vec<Intervention>,
}

fn engine() -> String {
    ENGINE.to_owned()
}

fn end() -> Dur {
    Dur::minutes(55)
}

fn genesis_time() -> u64 {
    1_767_592_800 // Monday 2026-01-05 06:00:00 UTC
}

/// A number, or its decimal text: JSON readers lose digits of numbers above 2^53.
fn seed<'de, D: serde::Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    struct Seed;
    impl serde::de::Visitor<'_> for Seed {
        type Value = u64;

        fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.write_str("a whole number from 0 to 18446744073709551615")
        }

        fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<u64, E> {
            Ok(value)
        }

        fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<u64, E> {
            u64::try_from(value).map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(value), &self))
        }

        fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<u64, E> {
            value.parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(value), &self))
        }
    }
    if d.is_human_readable() { d.deserialize_any(Seed) } else { u64::deserialize(d) }
}

/// TOML knows no integers above 2^63 − 1, so a larger seed is written as text.
fn write_seed<S: serde::Serializer>(seed: &u64, s: S) -> Result<S::Ok, S::Error> {
    if s.is_human_readable() && *seed > 1 << 53 { s.collect_str(seed) } else { s.serialize_u64(*seed) }
}

/// How actors come to their keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bootstrap {
    /// By requests and answers over the network.
    #[default]
    Live,
    /// All keys and genesis are there before the run; only for runs without cars.
    Given,
}

/// The gateways and their agreement; the meaning of each value stands in CONSENSUS.md §3.2.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateways {
    pub n: u16,
    /// Stub signatures are for tests and benches of agreement alone; every screen says so.
    pub crypto: Crypto,
    /// First timeout of a request.
    pub t0: Dur,
    /// Blocks between two checkpoints.
    pub checkpoint: u32,
    /// Slots above the stable checkpoint that may be voted on; 0 stands for two checkpoints.
    pub window: u32,
    /// Executed blocks that a gateway keeps beyond what is not yet stable; 0 stands for all.
    pub retain: u32,
    /// Status gossip; 0 is off.
    pub status_every: Dur,
    /// A gateway that waits tells the others what it has after this time.
    pub resend: Dur,
    /// Blocks after which the primary changes by appointment; 0 is off.
    pub rotate_every: u32,
    /// Most ciphertexts in a gateway's pool; 0 stands for 64 full blocks.
    pub pool_max: u32,
    /// Slots in agreement at once.
    pub pipeline: u16,
    /// Most ciphertexts in a block; 0 stands for max(64, n).
    pub batch_max: u32,
    pub batch_bytes: u64,
    pub batch_delay: Dur,
    /// A pooled ciphertext is offered to all gateways after this time; 0 stands for t0/2.
    pub relay_after: Dur,
    pub backoff_cap: u8,
    pub fetch_timeout: Dur,
    /// Largest accepted difference between a block's time and the own clock.
    pub drift: Dur,
}

impl Default for Gateways {
    fn default() -> Self {
        Gateways {
            n: 4,
            crypto: Crypto::Real,
            t0: Dur::ms(600),
            checkpoint: 16,
            window: 0,
            retain: 0,
            status_every: Dur(0),
            resend: Dur::ms(250),
            rotate_every: 0,
            pool_max: 0,
            pipeline: 4,
            batch_max: 0,
            batch_bytes: 1 << 20,
            batch_delay: Dur::ms(20),
            relay_after: Dur(0),
            backoff_cap: 8,
            fetch_timeout: Dur::ms(150),
            drift: Dur::secs(5),
        }
    }
}

/// Consensus-critical times of the scheme, in seconds (CLMMSC.md §3.1).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    pub epoch_len: u32,
    pub skew: u32,
    pub ttl_max: u32,
    /// Longest ciphertext in bytes.
    pub max_bytes: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Policy { epoch_len: 3600, skew: 30, ttl_max: 600, max_bytes: 1 << 26 }
    }
}

/// Tickets per epoch that an actor of each sending role asks for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tickets {
    pub csc: u16,
    pub css: u16,
    pub ev: u16,
}

impl Default for Tickets {
    fn default() -> Self {
        Tickets { csc: 8, css: 2, ev: 4 }
    }
}

/// How many actors there are besides the gateways, and what they share.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Entities {
    pub kgc: u16,
    pub csc: u16,
    pub cp: u16,
    pub ev: u16,
    /// Life of every ciphertext in seconds; one value per run, so it is no fingerprint.
    pub ttl: u32,
    /// Dummies fill a command up to 1, 2, 3, 4, 6, 8, 12, 16, 24… entries, so that their number says little.
    pub pad: bool,
    /// Pile j (from 0) is in area ⌊j·areas/cp⌋; area a belongs to gateway (a+1) mod n.
    pub areas: u16,
    pub tickets: Tickets,
    /// Fixed time between a request at the KGC and its answer.
    pub answer_delay: Dur,
    /// Uploads travel through pile and gateway and are stored in the chain.
    pub store_uploads: bool,
    /// A plugged-in car sends its state at every full multiple of this on the clock; 0: at plug-in only.
    pub upload_every: Dur,
    /// Half a second after every full multiple of this a CSC with news plans all its cars anew; 0: never.
    pub plan_every: Dur,
}

impl Default for Entities {
    fn default() -> Self {
        Entities {
            kgc: 1,
            csc: 1,
            cp: 4,
            ev: 4,
            ttl: 120,
            pad: false,
            areas: 2,
            tickets: Tickets::default(),
            answer_delay: Dur::ms(5),
            store_uploads: false,
            upload_every: Dur(0),
            plan_every: Dur(0),
        }
    }
}

/// Where ciphertexts come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkloadKind {
    /// From the actors of the station.
    #[default]
    Station,
    /// One every `every` from then on, `count` in all.
    Steady,
    /// `count` at once at `every`.
    Burst,
    /// One at each moment of `at`.
    List,
}

/// The ciphertexts that gateways are to agree on (CONSENSUS.md §4.9).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workload {
    pub kind: WorkloadKind,
    pub every: Dur,
    pub count: u32,
    /// Fewest and most receivers of a ciphertext.
    pub receivers: (u32, u32),
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<Dur>,
}

impl Default for Workload {
    fn default() -> Self {
        Workload { kind: WorkloadKind::Station, every: Dur::ms(150), count: 16, receivers: (1, 3), at: Vec::new() }
    }
}

impl Workload {
    /// Moments at which a ciphertext is handed in.
    pub fn moments(&self) -> Vec<Micros> {
        let count = u64::from(self.count);
        match self.kind {
            WorkloadKind::Station => Vec::new(),
            WorkloadKind::Steady => (1..=count).map(|i| Micros(self.every.0.saturating_mul(i))).collect(),
            WorkloadKind::Burst => (0..count).map(|_| self.every.micros()).collect(),
            WorkloadKind::List => self.at.iter().map(|at| at.micros()).collect(),
        }
    }
}

/// How many times slower than a gateway a device computes: an assumption, shown wherever a virtual cost is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceFactors {
    pub kgc: u32,
    pub csc: u32,
    pub css: u32,
    pub cp: u32,
    pub ev: u32,
}

impl Default for DeviceFactors {
    fn default() -> Self {
        DeviceFactors { kgc: 1, csc: 1, css: 1, cp: 5, ev: 10 }
    }
}

impl DeviceFactors {
    pub fn of(&self, role: Role) -> u32 {
        match role {
            Role::Kgc => self.kgc,
            Role::Csc => self.csc,
            Role::Css | Role::Outsider => self.css,
            Role::Cp => self.cp,
            Role::Ev => self.ev,
        }
    }
}

/// What a scenario may let happen by itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultDo {
    Crash(ActorId),
    Pause(ActorId),
    Resume(ActorId),
    Restart(ActorId),
    RestartAmnesia(ActorId),
    TornStep(Torn),
    Block(crate::sim::network::RuleArgs),
    Delay(crate::sim::network::RuleArgs),
    Loss(crate::sim::network::RuleArgs),
    Corrupt(crate::sim::network::RuleArgs),
    Hold(crate::sim::network::RuleArgs),
    Release(crate::sim::network::RuleArgs),
    Slow(crate::sim::intervention::Slow),
    Skew(crate::sim::intervention::Skew),
}

impl FaultDo {
    /// The same thing as an action.
    pub fn action(&self) -> Action {
        match self.clone() {
            FaultDo::Crash(a) => Action::Crash(a),
            FaultDo::Pause(a) => Action::Pause(a),
            FaultDo::Resume(a) => Action::Resume(a),
            FaultDo::Restart(a) => Action::Restart(a),
            FaultDo::RestartAmnesia(a) => Action::RestartAmnesia(a),
            FaultDo::TornStep(torn) => Action::TornStep(torn),
            FaultDo::Block(rule) => Action::Link(LinkRule::Block(rule)),
            FaultDo::Delay(rule) => Action::Link(LinkRule::Delay(rule)),
            FaultDo::Loss(rule) => Action::Link(LinkRule::Loss(rule)),
            FaultDo::Corrupt(rule) => Action::Link(LinkRule::Corrupt(rule)),
            FaultDo::Hold(rule) => Action::Link(LinkRule::Hold(rule)),
            FaultDo::Release(which) => Action::Release(which),
            FaultDo::Slow(slow) => Action::Slow(slow),
            FaultDo::Skew(skew) => Action::Skew(skew),
        }
    }
}

/// A fault at a moment of virtual time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub at: Dur,
    #[serde(rename = "do")]
    pub action: FaultDo,
}

impl Scenario {
    /// Area of a pile (index from 0).
    pub fn area_of(&self, pile: u16) -> u16 {
        (u32::from(pile) * u32::from(self.entities.areas) / u32::from(self.entities.cp.max(1))) as u16
    }

    /// Index of the gateway that an area belongs to.
    pub fn gateway_of(&self, area: u16) -> u16 {
        (area + 1) % self.gateways.n.max(1)
    }

    /// All actors in the order of their node numbers: gateways first, so that replica i is node i.
    pub fn actors(&self) -> Vec<ActorId> {
        let e = &self.entities;
        [(Role::Css, self.gateways.n), (Role::Kgc, e.kgc), (Role::Csc, e.csc), (Role::Cp, e.cp), (Role::Ev, e.ev)]
            .into_iter()
            .flat_map(|(role, count)| (0..count).map(move |index| ActorId::new(role, index)))
            .collect()
    }

    /// The same scenario with another number of gateways; areas shrink to n − 1 if needed.
    ///
    /// # Errors
    /// If the result is out of bounds.
    pub fn with_n(mut self, n: u16) -> Result<Self, ScenarioError> {
        self.gateways.n = n;
        self.entities.areas = self.entities.areas.min(n.saturating_sub(1).max(1));
        self.station.area_cap_w.truncate(usize::from(self.entities.areas));
        self.checked()
    }

    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}
