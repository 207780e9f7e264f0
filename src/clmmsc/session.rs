//! Session frames between car and pile on the charging cable (CLMMSC.md §9.3).

use super::error::Error;
use super::hash::{h32, label};
use super::open::EntryKey;
use super::reader::Reader;
use super::secret::Secret;
use super::{SigmaId, aead, wire::HEADER};
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// Which end of the cable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Ev,
    Pile,
}

impl Side {
    fn dir(self) -> u8 {
        match self {
            Side::Ev => 1,
            Side::Pile => 2,
        }
    }
}

/// What a frame says. Energy in µJ (negative: fed back), total in minor currency units.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// EV: k_i for this σ.
    Release {
        sigma: SigmaId,
        k: EntryKey,
    },
    /// EV: no key for this σ.
    Refusal {
        sigma: SigmaId,
    },
    /// Pile: a header to look at.
    Header(Box<[u8; HEADER]>),
    End,
    Bill {
        transaction: u64,
        last: bool,
        energy_uj: i64,
        total: i64,
        currency: [u8; 3],
        tariff: u32,
    },
}

impl Body {
    /// The bytes inside a frame.
    pub fn encode(&self) -> Secret<Vec<u8>> {
        let bytes = match self {
            Body::Release { sigma, k } => [&[1][..], &sigma.0, k.as_bytes()].concat(),
            Body::Refusal { sigma } => [&[2][..], &sigma.0].concat(),
            Body::Header(bytes) => [&[3][..], &bytes[..]].concat(),
            Body::End => vec![4],
            Body::Bill { transaction, last, energy_uj, total, currency, tariff } => {
                let mut out = vec![5];
                out.extend(transaction.to_le_bytes());
                out.push(u8::from(*last));
                out.extend(energy_uj.to_le_bytes());
                out.extend(total.to_le_bytes());
                out.extend(currency);
                out.extend(tariff.to_le_bytes());
                out
            }
        };
        bytes.into()
    }

    fn decode(from: Side, bytes: &[u8]) -> Option<Body> {
        let mut r = Reader(bytes);
        let body = match (r.u8()?, from) {
            (1, Side::Ev) => Body::Release { sigma: SigmaId(r.array()?), k: EntryKey::from_bytes(r.array()?) },
            (2, Side::Ev) => Body::Refusal { sigma: SigmaId(r.array()?) },
            (3, Side::Pile) => Body::Header(Box::new(r.array()?)),
            (4, _) => Body::End,
            (5, Side::Pile) => Body::Bill {
                transaction: r.u64()?,
                last: match r.u8()? {
                    0 => false,
                    1 => true,
                    _ => return None,
                },
                energy_uj: r.i64()?,
                total: r.i64()?,
                currency: r.array()?,
                tariff: r.u32()?,
            },
            _ => return None,
        };
        r.is_empty().then_some(body)
    }
}

/// One side's state of a session; wiped when it ends.
#[derive(Clone)]
pub struct Session {
    kses: Secret<[u8; 32]>,
    side: Side,
    next: u64,
    /// Highest counter accepted from the other side.
    last: Option<u64>,
}

impl ZeroizeOnDrop for Session {}

impl core::fmt::Debug for Session {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Session({:?})", self.side)
    }
}

impl Session {
    pub fn new(kses: impl Into<Secret<[u8; 32]>>, side: Side) -> Session {
        Session { kses: kses.into(), side, next: 0, last: None }
    }

    /// A side that has accepted counter `last` and none above it (test vectors).
    #[doc(hidden)]
    pub fn after(kses: impl Into<Secret<[u8; 32]>>, side: Side, last: Option<u64>) -> Session {
        Session { kses: kses.into(), side, next: 0, last }
    }

    /// The last counter accepted, if any (test vectors).
    #[doc(hidden)]
    pub fn last(&self) -> Option<u64> {
        self.last
    }

    fn key(&self, dir: u8, ctr: u64) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(h32(label::SES, &[&*self.kses, &[dir], &ctr.to_le_bytes()]))
    }

    /// Seals the next frame under H32("ses"; kses, \[dir\], u64 ctr) (§9.3).
    pub fn seal(&mut self, body: &Body) -> Vec<u8> {
        let (dir, ctr) = (self.side.dir(), self.next);
        self.next += 1;
        let mut out = vec![dir];
        out.extend(ctr.to_le_bytes());
        out.extend(aead::seal(&self.key(dir, ctr), &body.encode()));
        out
    }

    /// Opens a frame of the other side (§9.3).
    ///
    /// # Errors
    /// In this order: [`Error::Length`], [`Error::Kind`], [`Error::Replay`], [`Error::FrameAuth`], [`Error::Payload`].
    pub fn open(&mut self, frame: &[u8]) -> Result<Body, Error> {
        let other = if self.side == Side::Ev { Side::Pile } else { Side::Ev };
        let mut r = Reader(frame);
        let (Some(dir), Some(ctr), true) = (r.u8(), r.u64(), frame.len() >= 26) else { return Err(Error::Length) };
        if dir != other.dir() {
            return Err(Error::Kind);
        }
        if self.last.is_some_and(|last| ctr <= last) {
            return Err(Error::Replay);
        }
        let plain = aead::open(&self.key(dir, ctr), r.0).ok_or(Error::FrameAuth)?;
        self.last = Some(ctr);
        Body::decode(other, &plain).ok_or(Error::Payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_go_one_way_once() {
        let (mut ev, mut pile) = (Session::new([7; 32], Side::Ev), Session::new([7; 32], Side::Pile));
        let release = Body::Release { sigma: SigmaId([1; 32]), k: EntryKey::from_bytes([2; 32]) };
        let frame = ev.seal(&release);
        assert_eq!(pile.open(&frame), Ok(release));
        assert_eq!(pile.open(&frame), Err(Error::Replay));
        assert_eq!(ev.open(&frame), Err(Error::Kind));
        let mut bill = pile.seal(&Body::End);
        bill[12] ^= 1;
        assert_eq!(ev.open(&bill), Err(Error::FrameAuth));
        assert_eq!(ev.open(&bill[..20]), Err(Error::Length));
    }
}
