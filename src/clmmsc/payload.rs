//! Contents of the scheme's own flows: 4 upload, 5 plug-in, 6 routing (CLMMSC.md §9.2). Strict: any violation is
//! [`Error::Payload`]; modes and records of class SS are an extension and refused here.

use super::error::Error;
use super::hash::{h32, label};
use super::keys::KeyPair;
use super::reader::Reader;
use super::record::{Class, Flow, SigmaId};

/// Flow 4: what a car tells its CSC. Shares in millionths, energy in Wh, power in W, times in unix seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Upload {
    pub discharge: bool,
    pub time: u64,
    pub soc_ppm: u32,
    pub capacity_wh: u32,
    pub max_power_w: u32,
    pub power_w: i32,
    pub energy_wh: u64,
    /// 0 if unknown.
    pub departure: u64,
    pub target_ppm: u32,
    /// rid of the pile, zeros if not told.
    pub pile: [u8; 32],
}

impl Upload {
    const LEN: usize = 78;

    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![1, if self.discharge { 8 } else { 0 }];
        out.extend(self.time.to_le_bytes());
        out.extend(self.soc_ppm.to_le_bytes());
        out.extend(self.capacity_wh.to_le_bytes());
        out.extend(self.max_power_w.to_le_bytes());
        out.extend(self.power_w.to_le_bytes());
        out.extend(self.energy_wh.to_le_bytes());
        out.extend(self.departure.to_le_bytes());
        out.extend(self.target_ppm.to_le_bytes());
        out.extend(self.pile);
        out
    }

    /// # Errors
    /// [`Error::Payload`].
    pub fn decode(bytes: &[u8]) -> Result<Upload, Error> {
        let mut r = Reader(bytes);
        let mut read = || {
            let (version, flags) = (r.u8()?, r.u8()?);
            if version != 1 || flags & !8 != 0 {
                return None;
            }
            Some(Upload {
                discharge: flags == 8,
                time: r.u64()?,
                soc_ppm: r.u32()?,
                capacity_wh: r.u32()?,
                max_power_w: r.u32()?,
                power_w: r.i32()?,
                energy_wh: r.u64()?,
                departure: r.u64()?,
                target_ppm: r.u32()?,
                pile: r.array()?,
            })
        };
        let upload = read().filter(|u| u.soc_ppm <= 1_000_000 && u.target_ppm <= 1_000_000);
        upload.filter(|_| bytes.len() == Self::LEN).ok_or(Error::Payload)
    }
}

/// Flow 5, mode A: the key of a charging session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlugIn {
    pub kses: [u8; 32],
    pub plug: [u8; 16],
    /// Unix seconds.
    pub not_before: u64,
    pub not_after: u64,
}

/// kses = H32("kses"; nk, plug, rand32): two plug-ins differ even under a stuck generator.
pub fn session_key(key: &KeyPair, plug: &[u8; 16], rand32: &[u8; 32]) -> [u8; 32] {
    h32(label::KSES, &[key.nonce_key(), plug, rand32])
}

impl PlugIn {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![1, 1];
        out.extend(self.kses);
        out.extend(self.plug);
        out.extend(self.not_before.to_le_bytes());
        out.extend(self.not_after.to_le_bytes());
        out
    }

    /// # Errors
    /// [`Error::Payload`].
    pub fn decode(bytes: &[u8]) -> Result<PlugIn, Error> {
        let mut r = Reader(bytes);
        let mut read = || {
            if (r.u8()?, r.u8()?) != (1, 1) {
                return None;
            }
            Some(PlugIn { kses: r.array()?, plug: r.array()?, not_before: r.u64()?, not_after: r.u64()? })
        };
        read().filter(|p| bytes.len() == 66 && p.not_after >= p.not_before).ok_or(Error::Payload)
    }

    /// What the pile checks after the layout: its own challenge, then the times.
    ///
    /// # Errors
    /// [`Error::PlugChallenge`], [`Error::NotYetValid`], [`Error::Expired`].
    pub fn check(&self, plug: Option<&[u8; 16]>, now: u64) -> Result<(), Error> {
        if plug != Some(&self.plug) {
            return Err(Error::PlugChallenge);
        }
        if self.not_before > now {
            return Err(Error::NotYetValid);
        }
        if now > self.not_after { Err(Error::Expired) } else { Ok(()) }
    }
}

/// Whether content has the layout of its flow. Only flows 4 to 6 have one at this floor; the others belong to the actors.
///
/// # Errors
/// [`Error::Payload`].
pub fn check_layout(flow: Flow, bytes: &[u8]) -> Result<(), Error> {
    match flow {
        Flow::UPLOAD => Upload::decode(bytes).map(|_| ()),
        Flow::PLUG_IN => PlugIn::decode(bytes).map(|_| ()),
        Flow::ROUTING => Routing::decode(bytes).map(|_| ()),
        _ => Err(Error::Payload),
    }
}

/// Flow 6 in one part: for whom σ is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Routing {
    pub sigma: SigmaId,
    pub receivers: Vec<(Class, [u8; 32])>,
}

impl Routing {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![1, 0];
        out.extend(0u16.to_le_bytes());
        out.extend(1u16.to_le_bytes());
        out.extend((self.receivers.len() as u32).to_le_bytes());
        out.extend(self.sigma.0);
        for (class, f) in &self.receivers {
            out.push(*class as u8);
            out.extend(f);
        }
        out
    }

    /// # Errors
    /// [`Error::Payload`]; lists in several parts are an extension.
    pub fn decode(bytes: &[u8]) -> Result<Routing, Error> {
        let mut r = Reader(bytes);
        let mut read = || {
            if (r.u8()?, r.u8()?) != (1, 0) || (r.u16()?, r.u16()?) != (0, 1) {
                return None;
            }
            let (count, sigma) = (r.u32()?, SigmaId(r.array()?));
            if count == 0 || bytes.len() as u64 != 42 + 33 * u64::from(count) {
                return None;
            }
            let mut receivers = Vec::with_capacity(count as usize);
            for _ in 0..count {
                receivers.push((Class::from_code(r.u8()?).filter(|c| *c != Class::Ticket)?, r.array()?));
            }
            Some(Routing { sigma, receivers })
        };
        read().ok_or(Error::Payload)
    }
}
