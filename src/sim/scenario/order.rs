//! What the operators of CSCs order in a scenario (WORLD.md §7.1).

use super::Tariff;
use crate::entities::actor::{ActorId, Role};
use crate::sim::units::Dur;
use serde::{Deserialize, Serialize};

/// An order that the operator of a CSC gives at a moment of virtual time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    pub at: Dur,
    /// The CSC that gives it.
    #[serde(default = "first_csc")]
    pub by: ActorId,
    #[serde(rename = "do")]
    pub action: OrderDo,
}

fn first_csc() -> ActorId {
    ActorId::new(Role::Csc, 0)
}

/// What is ordered: flow 2 to gateways, flow 7 to piles (WORLD.md §7.1). Areas and piles are numbered from 1.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderDo {
    /// The area's gateway splits the limit over its piles in use.
    AreaLimit(AreaLimitOrder),
    /// For commands given from then on, and for transactions that piles start themselves.
    DefaultTariff(TariffOrder),
    Availability(AvailabilityOrder),
    /// The transaction at a pile ends.
    Stop(StopOrder),
    /// What a pile gives a car that has no command.
    DefaultLimit(DefaultLimitOrder),
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AreaLimitOrder {
    pub area: u16,
    pub limit_w: u32,
    /// From the moment of the order on.
    pub lasts: Dur,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TariffOrder {
    pub tariff: Tariff,
    pub valid_from: Dur,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AvailabilityOrder {
    pub pile: u16,
    pub operative: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopOrder {
    pub pile: u16,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultLimitOrder {
    pub pile: u16,
    pub limit_w: u32,
}
