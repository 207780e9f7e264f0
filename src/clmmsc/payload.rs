//! Contents of the scheme's own flows: 4 upload, 5 plug-in, 6 routing (CLMMSC.md §9.2, §11.1). Strict: any violation is
//! [`Error::Payload`].

use super::error::Error;
use super::group;
use super::hash::{h32, label};
use super::keys::KeyPair;
use super::params::Params;
use super::reader::Reader;
use super::receipt::Receipt;
use super::record::{Class, Flow, RECORD_LEN, Record, Role, SigmaId};
use super::secret::Secret;

/// A session record (class SS) as it comes in flows 4 and 5: role EV, of good format, with a public key.
fn session_record(params: &Params, bytes: [u8; RECORD_LEN]) -> Option<Record> {
    let record = Record(bytes);
    let good = record.is(Class::Session, Role::Ev) && record.check_format().is_ok() && record.derive(params).is_ok();
    good.then_some(record)
}

/// Flow 4: what a car tells its CSC. Shares in millionths, energy in Wh, power in W, times in unix seconds.
#[derive(Clone, PartialEq, Eq, Debug)]
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
    /// Mode B: the record to address while the car sleeps.
    pub session: Option<Record>,
    /// Batched receipts of earlier ciphertexts.
    pub receipts: Vec<Receipt>,
}

impl Upload {
    pub fn encode(&self) -> Vec<u8> {
        let flags = [(self.session.is_some(), 1), (!self.receipts.is_empty(), 2), (self.discharge, 8)];
        let mut out = vec![1, flags.iter().filter(|f| f.0).map(|f| f.1).sum()];
        out.extend(self.time.to_le_bytes());
        out.extend(self.soc_ppm.to_le_bytes());
        out.extend(self.capacity_wh.to_le_bytes());
        out.extend(self.max_power_w.to_le_bytes());
        out.extend(self.power_w.to_le_bytes());
        out.extend(self.energy_wh.to_le_bytes());
        out.extend(self.departure.to_le_bytes());
        out.extend(self.target_ppm.to_le_bytes());
        out.extend(self.pile);
        out.extend(self.session.iter().flat_map(|record| record.0));
        if !self.receipts.is_empty() {
            out.extend((self.receipts.len() as u16).to_le_bytes());
        }
        for receipt in &self.receipts {
            out.extend(receipt.sigma.0);
            out.push(receipt.status);
            out.extend(receipt.rc);
        }
        out
    }

    /// # Errors
    /// [`Error::Payload`].
    pub fn decode(params: &Params, bytes: &[u8]) -> Result<Upload, Error> {
        let mut r = Reader(bytes);
        let mut read = || {
            let (version, flags) = (r.u8()?, r.u8()?);
            if version != 1 || flags & !(1 | 2 | 8) != 0 {
                return None;
            }
            let mut upload = Upload {
                discharge: flags & 8 != 0,
                time: r.u64()?,
                soc_ppm: r.u32()?,
                capacity_wh: r.u32()?,
                max_power_w: r.u32()?,
                power_w: r.i32()?,
                energy_wh: r.u64()?,
                departure: r.u64()?,
                target_ppm: r.u32()?,
                pile: r.array()?,
                session: None,
                receipts: Vec::new(),
            };
            if flags & 1 != 0 {
                upload.session = Some(session_record(params, r.array()?)?);
            }
            if flags & 2 != 0 {
                let count = r.u16()?;
                // Read as far as there are bytes: the count alone allocates nothing.
                for _ in 0..count {
                    upload.receipts.push(Receipt { sigma: SigmaId(r.array()?), status: r.u8()?, rc: r.array()? });
                }
                upload.receipts.first()?;
            }
            r.0.is_empty().then_some(upload)
        };
        read().filter(|u| u.soc_ppm <= 1_000_000 && u.target_ppm <= 1_000_000).ok_or(Error::Payload)
    }
}

/// Mode B: the key of a receive-only session record, handed to the pile for one session (§11.1). Its class is inside h and
/// g, so it can never sign as the car.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delegated {
    pub record: Record,
    pub sk: Secret<[u8; 32]>,
}

impl Delegated {
    /// Lends the key of a session record, and of nothing else (§11.1).
    ///
    /// # Errors
    /// [`Error::RecordRole`] if the record is no session record.
    pub fn lend(pair: &KeyPair) -> Result<Delegated, Error> {
        let record = *pair.record();
        if !record.is(Class::Session, Role::Ev) {
            return Err(Error::RecordRole);
        }
        Ok(Delegated { record, sk: pair.sk().to_bytes().into() })
    }
}

/// Flow 5: the key of a charging session, and in mode B what the pile may open by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlugIn {
    pub kses: Secret<[u8; 32]>,
    pub plug: [u8; 16],
    /// Unix seconds.
    pub not_before: u64,
    pub not_after: u64,
    pub delegated: Option<Delegated>,
}

/// kses = H32("kses"; nk, plug, rand32): two plug-ins differ even under a stuck generator.
pub fn session_key(key: &KeyPair, plug: &[u8; 16], rand32: &[u8; 32]) -> Secret<[u8; 32]> {
    h32(label::KSES, &[key.nonce_key(), plug, rand32]).into()
}

impl PlugIn {
    pub fn encode(&self) -> Secret<Vec<u8>> {
        let (from, to) = (self.not_before.to_le_bytes(), self.not_after.to_le_bytes());
        let mode = if self.delegated.is_some() { 2 } else { 1 };
        let lent = self.delegated.as_ref().map(|d| (&d.record.0[..], &d.sk[..])).unwrap_or_default();
        [&[1, mode][..], &*self.kses, &self.plug, &from, &to, lent.0, lent.1].concat().into()
    }

    /// # Errors
    /// [`Error::Payload`].
    pub fn decode(params: &Params, bytes: &[u8]) -> Result<PlugIn, Error> {
        let mut r = Reader(bytes);
        let mut read = || {
            let (version, mode) = (r.u8()?, r.u8()?);
            if version != 1 || !(1..=2).contains(&mode) {
                return None;
            }
            let kses = Secret::from(r.array()?);
            let (plug, not_before, not_after) = (r.array()?, r.u64()?, r.u64()?);
            let delegated = if mode == 2 {
                let (record, sk) = (session_record(params, r.array()?)?, Secret::from(r.array()?));
                group::scal(&sk).ok()?;
                Some(Delegated { record, sk })
            } else {
                None
            };
            r.0.is_empty().then_some(PlugIn { kses, plug, not_before, not_after, delegated })
        };
        read().filter(|p| p.not_after >= p.not_before).ok_or(Error::Payload)
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
pub fn check_layout(params: &Params, flow: Flow, bytes: &[u8]) -> Result<(), Error> {
    match flow {
        Flow::UPLOAD => Upload::decode(params, bytes).map(|_| ()),
        Flow::PLUG_IN => PlugIn::decode(params, bytes).map(|_| ()),
        Flow::ROUTING => Routing::decode(bytes).map(|_| ()),
        _ => Err(Error::Payload),
    }
}

/// Flow 6, or one part of it: for whom σ is. A long list is cut into parts, each in a ciphertext of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Routing {
    /// Number of this part, below `parts`.
    pub part: u16,
    pub parts: u16,
    pub sigma: SigmaId,
    pub receivers: Vec<(Class, [u8; 32])>,
}

impl Routing {
    /// A list in one part.
    pub fn whole(sigma: SigmaId, receivers: Vec<(Class, [u8; 32])>) -> Routing {
        Routing { part: 0, parts: 1, sigma, receivers }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![1, 0];
        out.extend(self.part.to_le_bytes());
        out.extend(self.parts.to_le_bytes());
        out.extend((self.receivers.len() as u32).to_le_bytes());
        out.extend(self.sigma.0);
        for (class, f) in &self.receivers {
            out.push(*class as u8);
            out.extend(f);
        }
        out
    }

    /// # Errors
    /// [`Error::Payload`].
    pub fn decode(bytes: &[u8]) -> Result<Routing, Error> {
        let mut r = Reader(bytes);
        let mut read = || {
            let (version, zero, part, parts) = (r.u8()?, r.u8()?, r.u16()?, r.u16()?);
            if (version, zero) != (1, 0) || part >= parts {
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
            Some(Routing { part, parts, sigma, receivers })
        };
        read().ok_or(Error::Payload)
    }
}
