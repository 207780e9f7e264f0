//! One transaction at a pile: what was ordered, metered and owed (WORLD.md §7.5).

use crate::clmmsc::SigmaId;
use crate::entities::command::Profile;
use crate::entities::plant::Share;
use crate::entities::setup::{Price, Setup};
use crate::ledger::Micros;

/// A command obeyed from a moment on.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub since: Micros,
    pub sigma: SigmaId,
    pub profile: Profile,
}

/// A transaction: what was ordered, metered and owed.
#[derive(Clone, Debug)]
pub(super) struct Transaction {
    pub id: u64,
    /// The first, and those that replaced it, in order.
    pub newest: Order,
    pub older: Vec<Order>,
    pub shares: Vec<Share>,
}

impl Transaction {
    /// The order in force at a time; the first one before it was obeyed, when nothing flowed.
    fn order_at(&self, at: Micros) -> &Order {
        let mut replaced = self.older.iter().rev();
        if self.newest.since <= at { &self.newest } else { replaced.find(|o| o.since <= at).unwrap_or(&self.newest) }
    }

    /// Meters a stretch of constant power, split where the price changes; the last part takes what the meter has left.
    pub fn meter(&mut self, setup: &Setup, stretch: (Micros, Micros), power_w: i32, metered: (i64, i64)) {
        let (mut from, to) = stretch;
        let (mut charged, mut discharged) = metered;
        loop {
            let order = self.order_at(from);
            let unix = setup.unix(from).0;
            let price = order.profile.price_at(unix);
            let replaced = self.older.iter().chain([&self.newest]).map(|order| order.since).find(|since| *since > from);
            let change = order.profile.next_change(unix).map(|second| setup.micros(second));
            let Some(end) = change.into_iter().chain(replaced).min().filter(|end| *end < to) else {
                return self.share(price, charged, discharged);
            };
            let uj = i64::from(power_w).saturating_mul((end.0 - from.0) as i64);
            let (more, less) = (uj.max(0).min(charged), (-uj).max(0).min(discharged));
            self.share(price, more, less);
            (charged, discharged, from) = (charged - more, discharged - less, end);
        }
    }

    fn share(&mut self, price: Price, charged_uj: i64, discharged_uj: i64) {
        match self.shares.iter_mut().find(|share| share.price == price) {
            Some(share) => {
                share.charged_uj += charged_uj;
                share.discharged_uj += discharged_uj;
            }
            None => self.shares.push(Share { price, charged_uj, discharged_uj }),
        }
    }
}
