//! The strict binary codec of ledger and agreement (CONSENSUS.md §2.2): little-endian integers, `u32` counts, options as
//! one byte, no padding.
//!
//! Decoding accepts exactly what encoding writes; it must never panic and never allocate from an unchecked count.

use super::sigma::Sigma;
use super::types::{Digest, Secs, Seq};
use std::sync::Arc;

/// The bytes are not an encoding of the type asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("malformed bytes")]
pub struct Malformed;

/// Result of a decoding step.
pub type Decoded<T> = Result<T, Malformed>;

/// Reads the parts of a ciphertext that agreement needs; implemented above with the parser of the scheme.
pub trait ParseSigma {
    /// `None` if the bytes are not structurally a σ (rule V1 of CLMMSC.md).
    fn parse(&self, bytes: &[u8]) -> Option<Sigma>;
}

impl<F: Fn(&[u8]) -> Option<Sigma>> ParseSigma for F {
    fn parse(&self, bytes: &[u8]) -> Option<Sigma> {
        self(bytes)
    }
}

/// Appends encoded fields.
#[derive(Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    pub fn new() -> Self {
        Writer::default()
    }

    pub fn u8(&mut self, v: u8) -> &mut Self {
        self.0.push(v);
        self
    }

    pub fn u16(&mut self, v: u16) -> &mut Self {
        self.raw(&v.to_le_bytes())
    }

    pub fn u32(&mut self, v: u32) -> &mut Self {
        self.raw(&v.to_le_bytes())
    }

    pub fn u64(&mut self, v: u64) -> &mut Self {
        self.raw(&v.to_le_bytes())
    }

    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn digest(&mut self, d: &Digest) -> &mut Self {
        self.raw(&d.0)
    }

    /// A `u32` count, then each item.
    pub fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) -> &mut Self {
        self.u32(items.len() as u32);
        for item in items {
            each(self, item);
        }
        self
    }

    /// σ bytes behind their length; its other parts are computed anew by whoever decodes.
    pub fn sigma(&mut self, sigma: &Sigma) -> &mut Self {
        self.u32(sigma.bytes().len() as u32).raw(sigma.bytes())
    }
}

/// Reads encoded fields from the front.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    pub fn raw(&mut self, len: usize) -> Decoded<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(Malformed)?;
        self.rest = rest;
        Ok(head)
    }

    pub fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        self.raw(N)?.try_into().map_err(|_| Malformed)
    }

    pub fn u8(&mut self) -> Decoded<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u16(&mut self) -> Decoded<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Decoded<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Decoded<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub fn digest(&mut self) -> Decoded<Digest> {
        Ok(Digest(self.array()?))
    }

    pub fn seq(&mut self) -> Decoded<Seq> {
        Ok(Seq(self.u64()?))
    }

    pub fn secs(&mut self) -> Decoded<Secs> {
        Ok(Secs(self.u64()?))
    }

    /// One byte that must be 0 or 1.
    pub fn flag(&mut self) -> Decoded<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    /// A list whose items take at least `min` (≥ 1) bytes each: the count is bounded before anything is allocated.
    pub fn list<T>(&mut self, min: usize, mut each: impl FnMut(&mut Self) -> Decoded<T>) -> Decoded<Vec<T>> {
        let count = self.u32()? as usize;
        if count.checked_mul(min).is_none_or(|need| need > self.rest.len()) {
            return Err(Malformed);
        }
        (0..count).map(|_| each(self)).collect()
    }

    pub fn sigma(&mut self, parser: &dyn ParseSigma) -> Decoded<Arc<Sigma>> {
        let len = self.u32()? as usize;
        parser.parse(self.raw(len)?).map(Arc::new).ok_or(Malformed)
    }

    /// Nothing may follow.
    pub fn end(self) -> Decoded<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}
