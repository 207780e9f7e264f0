//! Commands to gateways and piles themselves, kinds 2 to 4 (WORLD.md §7.1).

use super::{NoCommand, TariffTable, allow, end, read_currency, read_limit, read_prices, write_prices};
use crate::ledger::codec::{Reader, Writer};

/// SetDefaultTariff: for transactions that start from a unix second on. Gateways pass it to their piles.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DefaultTariff {
    pub tariff: TariffTable,
    pub valid_from: u64,
}

impl DefaultTariff {
    pub(super) fn write(&self, w: &mut Writer) {
        let table = &self.tariff;
        w.u32(table.id).raw(&table.currency).u8(table.periods.len() as u8).u64(self.valid_from);
        write_prices(w, &table.periods);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, NoCommand> {
        let (id, currency, count, valid_from) = (r.u32()?, read_currency(r)?, r.u8()?, r.u64()?);
        let periods = read_prices(r, count)?;
        Ok(DefaultTariff { tariff: TariffTable { id, currency, periods }, valid_from })
    }
}

/// NotifyChargingLimit: what an area may draw in the unix seconds from `from` to before `to`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AreaLimit {
    pub limit_w: u32,
    pub from: u64,
    pub to: u64,
}

impl AreaLimit {
    pub(super) fn write(&self, w: &mut Writer) {
        w.u32(self.limit_w).u64(self.from).u64(self.to);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, NoCommand> {
        let limit = AreaLimit { limit_w: read_limit(r)?, from: r.u64()?, to: r.u64()? };
        allow(limit.from < limit.to)?;
        Ok(limit)
    }
}

/// A profile of purpose ChargingStationMaxProfile: what a pile may draw, whoever is plugged in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StationLimit {
    pub profile: u32,
    /// Unix seconds.
    pub start: u64,
    pub duration: u32,
    pub limit_w: u32,
}

impl StationLimit {
    pub(super) fn write(&self, w: &mut Writer) {
        w.u32(self.profile).u64(self.start).u32(self.duration).u32(self.limit_w);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, NoCommand> {
        let (profile, start, duration, limit_w) = (r.u32()?, r.u64()?, r.u32()?, read_limit(r)?);
        end(start, duration)?;
        Ok(StationLimit { profile, start, duration, limit_w })
    }
}
