//! Commands m_i: what a σ of flow 1, 2, 3 or 7 says to one receiver (WORLD.md §7.1). Names are those of OCPP 2.0.1.
//!
//! Strict: exactly what encoding writes is read, and whoever cannot read a command does nothing.

mod profile;
mod station;

pub use profile::{MAX_PERIODS, Period, Profile};
pub use station::{AreaLimit, DefaultTariff, StationLimit};

use super::setup::{Price, TariffTable};
use crate::clmmsc::Flow;
use crate::ledger::codec::{Malformed, Reader, Writer};

const VERSION: u8 = 1;
/// Most prices in a tariff.
const MAX_PRICES: u8 = 8;

/// The error `Command`: the bytes are no command of this flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("Command")]
pub struct NoCommand;

impl From<Malformed> for NoCommand {
    fn from(_: Malformed) -> Self {
        NoCommand
    }
}

fn allow(condition: bool) -> Result<(), NoCommand> {
    if condition { Ok(()) } else { Err(NoCommand) }
}

/// Any command. Limits are in W.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Flow 1, SetChargingProfile with its tariff.
    Profile(Profile),
    /// Flows 2 and 3, SetDefaultTariff (OCPP 2.1).
    DefaultTariff(DefaultTariff),
    /// Flow 2, NotifyChargingLimit: the gateway splits it over its piles.
    AreaLimit(AreaLimit),
    /// Flow 3, a profile of purpose ChargingStationMaxProfile.
    StationLimit(StationLimit),
    /// Flow 7, ChangeAvailability.
    Availability { operative: bool },
    /// Flow 7, RequestStopTransaction.
    Stop { transaction: u64 },
    /// Flow 7, a profile of purpose TxDefaultProfile: the limit without a command.
    DefaultLimit { limit_w: u32 },
}

impl Command {
    /// The byte after the version.
    pub fn kind(&self) -> u8 {
        match self {
            Command::Profile(_) => 1,
            Command::DefaultTariff(_) => 2,
            Command::AreaLimit(_) => 3,
            Command::StationLimit(_) => 4,
            Command::Availability { .. } => 5,
            Command::Stop { .. } => 6,
            Command::DefaultLimit { .. } => 7,
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        let flags = match self {
            Command::Profile(profile) => u16::from(profile.feeds_back()),
            _ => 0,
        };
        w.u8(VERSION).u8(self.kind()).u16(flags);
        match self {
            Command::Profile(profile) => profile.write(&mut w),
            Command::DefaultTariff(tariff) => tariff.write(&mut w),
            Command::AreaLimit(limit) => limit.write(&mut w),
            Command::StationLimit(limit) => limit.write(&mut w),
            Command::Availability { operative } => {
                w.u8(u8::from(*operative));
            }
            Command::Stop { transaction } => {
                w.u64(*transaction);
            }
            Command::DefaultLimit { limit_w } => {
                w.u32(*limit_w);
            }
        }
        w.0
    }

    /// Reads a command that came in a σ of this flow.
    ///
    /// # Errors
    /// [`NoCommand`] for anything that [`Command::encode`] would not have written, or that this flow does not carry.
    pub fn decode(flow: Flow, bytes: &[u8]) -> Result<Command, NoCommand> {
        let mut r = Reader::new(bytes);
        let (version, kind, flags) = (r.u8()?, r.u8()?, r.u16()?);
        allow(version == VERSION)?;
        let command = match (flow, kind) {
            (Flow::COMMAND, 1) => Command::Profile(Profile::read(&mut r)?),
            (Flow::GATEWAY | Flow::STATION, 2) => Command::DefaultTariff(DefaultTariff::read(&mut r)?),
            (Flow::GATEWAY, 3) => Command::AreaLimit(AreaLimit::read(&mut r)?),
            (Flow::STATION, 4) => Command::StationLimit(StationLimit::read(&mut r)?),
            (Flow::PILE, 5) => Command::Availability { operative: r.flag()? },
            (Flow::PILE, 6) => Command::Stop { transaction: r.u64()? },
            (Flow::PILE, 7) => Command::DefaultLimit { limit_w: read_limit(&mut r)? },
            _ => return Err(NoCommand),
        };
        r.end()?;
        let discharges = matches!(&command, Command::Profile(profile) if profile.feeds_back());
        allow(flags == u16::from(discharges))?;
        Ok(command)
    }
}

/// A power that may not be exceeded; powers are `i32` everywhere, so it is at most that.
fn read_limit(r: &mut Reader<'_>) -> Result<u32, NoCommand> {
    let limit_w = r.u32()?;
    allow(limit_w <= i32::MAX.unsigned_abs())?;
    Ok(limit_w)
}

fn read_currency(r: &mut Reader<'_>) -> Result<[u8; 3], NoCommand> {
    let currency: [u8; 3] = r.array()?;
    allow(currency.is_ascii())?;
    Ok(currency)
}

fn write_prices(w: &mut Writer, prices: &[Price]) {
    for p in prices {
        w.u32(p.start).u32(p.price).u32(p.feed_in);
    }
}

/// `count` prices whose starts ascend from 0.
fn read_prices(r: &mut Reader<'_>, count: u8) -> Result<Vec<Price>, NoCommand> {
    allow((1..=MAX_PRICES).contains(&count))?;
    let price = |_| Ok(Price { start: r.u32()?, price: r.u32()?, feed_in: r.u32()? });
    let prices: Vec<Price> = (0..count).map(price).collect::<Result<_, NoCommand>>()?;
    allow(ascend(prices.iter().map(|p| p.start)))?;
    Ok(prices)
}

/// Strictly, from 0.
fn ascend(mut starts: impl Iterator<Item = u32> + Clone) -> bool {
    let all = starts.clone();
    starts.next() == Some(0) && all.zip(starts).all(|(a, b)| a < b)
}

/// First unix second after what begins at `start` and lasts `duration`.
fn end(start: u64, duration: u32) -> Result<u64, NoCommand> {
    allow(duration > 0)?;
    start.checked_add(duration.into()).ok_or(NoCommand)
}

#[cfg(test)]
mod tests;
