//! Records: 106 public bytes that stand for a user, a ticket or a session (CLMMSC.md §3.2), and the table of flows (§9.1).

use super::error::Error;
use super::group;
use super::hash::{h32, hs, label};
use super::params::Params;
use super::receivers::prepared;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT as P;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use ristretto_quads::Point;
use serde::{Deserialize, Serialize};

/// Length of a record in bytes.
pub const RECORD_LEN: usize = 106;

/// Role codes of CLMMSC.md §1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum Role {
    Kgc = 1,
    Csc = 2,
    Css = 3,
    Cp = 4,
    Ev = 5,
}

impl Role {
    pub fn from_code(code: u8) -> Option<Role> {
        [Role::Kgc, Role::Csc, Role::Css, Role::Cp, Role::Ev].into_iter().find(|r| *r as u8 == code)
    }
}

/// Record classes: identity, one-time sender ticket, receive-only session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum Class {
    Id = 1,
    Ticket = 2,
    Session = 3,
}

impl Class {
    pub fn from_code(code: u8) -> Option<Class> {
        [Class::Id, Class::Ticket, Class::Session].into_iter().find(|c| *c as u8 == code)
    }
}

/// The seven kinds of traffic; each fixes the roles of its two sides, which always differ.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Flow(u8);

impl Flow {
    /// CSC to EV, opened at the pile: the paper's main case.
    pub const COMMAND: Flow = Flow(1);
    /// CSC to CSS.
    pub const GATEWAY: Flow = Flow(2);
    /// CSS to CP.
    pub const STATION: Flow = Flow(3);
    /// EV to CSC: real-time power information.
    pub const UPLOAD: Flow = Flow(4);
    /// EV to CP: plug-in.
    pub const PLUG_IN: Flow = Flow(5);
    /// CSC to KGC: routing list.
    pub const ROUTING: Flow = Flow(6);
    /// CSC to CP.
    pub const PILE: Flow = Flow(7);

    /// Flow of a wire byte, 1..7.
    pub fn from_code(code: u8) -> Option<Flow> {
        (1..=7).contains(&code).then_some(Flow(code))
    }

    pub fn code(self) -> u8 {
        self.0
    }

    pub fn sender(self) -> Role {
        match self.0 {
            3 => Role::Css,
            4 | 5 => Role::Ev,
            _ => Role::Csc,
        }
    }

    pub fn receiver(self) -> Role {
        match self.0 {
            1 => Role::Ev,
            2 => Role::Css,
            4 => Role::Csc,
            6 => Role::Kgc,
            _ => Role::Cp,
        }
    }

    /// Flows that may stand in a block (CLMMSC.md §7.1).
    pub fn stored(self) -> bool {
        matches!(self.0, 1 | 2 | 3 | 4 | 7)
    }
}

macro_rules! id32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; 32]);

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(self, f)
            }
        }
    };
}

id32! {
    /// `rid = H32("rid"; params_id, rec)`; of a ticket: its nullifier.
    RecordId
}
id32! {
    /// `σ_id = H32("sid"; params_id, header[0..388])`: re-signing the same content is the same σ.
    SigmaId
}

/// 106 bytes: class, role, validity, f, X, R.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record(pub [u8; RECORD_LEN]);

impl core::fmt::Debug for Record {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl Record {
    /// Assembles a record; nothing is checked.
    pub fn new(class: Class, role: Role, from: u32, to: u32, f: &[u8; 32], x: &[u8; 32], r: &[u8; 32]) -> Record {
        let mut b = [0; RECORD_LEN];
        b[0] = class as u8;
        b[1] = role as u8;
        b[2..6].copy_from_slice(&from.to_le_bytes());
        b[6..10].copy_from_slice(&to.to_le_bytes());
        b[10..42].copy_from_slice(f);
        b[42..74].copy_from_slice(x);
        b[74..].copy_from_slice(r);
        Record(b)
    }

    /// Reads exactly 106 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Record> {
        bytes.try_into().ok().map(Record)
    }

    fn part<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut out = [0; N];
        out.copy_from_slice(&self.0[at..at + N]);
        out
    }

    pub fn class(&self) -> Option<Class> {
        Class::from_code(self.0[0])
    }

    pub fn role(&self) -> Option<Role> {
        Role::from_code(self.0[1])
    }

    /// First epoch of validity.
    pub fn valid_from(&self) -> u32 {
        u32::from_le_bytes(self.part(2))
    }

    /// Last epoch of validity.
    pub fn valid_to(&self) -> u32 {
        u32::from_le_bytes(self.part(6))
    }

    /// The pseudo-identity f_i.
    pub fn f(&self) -> [u8; 32] {
        self.part(10)
    }

    /// X = x·P, encoded.
    pub fn x(&self) -> [u8; 32] {
        self.part(42)
    }

    /// The paper's PR_i: R = r·P, encoded.
    pub fn r(&self) -> [u8; 32] {
        self.part(74)
    }

    pub fn valid_at(&self, epoch: u32) -> bool {
        self.valid_from() <= epoch && epoch <= self.valid_to()
    }

    pub fn is(&self, class: Class, role: Role) -> bool {
        self.class() == Some(class) && self.role() == Some(role)
    }

    /// True if class is ID, or SS for an EV: what may be addressed as a receiver of `role`.
    pub fn receives_as(&self, role: Role) -> bool {
        self.is(Class::Id, role) || (role == Role::Ev && self.is(Class::Session, role))
    }

    /// The format rule of §3.2.
    ///
    /// # Errors
    /// [`Error::RecordFormat`].
    pub fn check_format(&self) -> Result<(), Error> {
        let (class, role) = (self.class().ok_or(Error::RecordFormat)?, self.role().ok_or(Error::RecordFormat)?);
        format_rule(class, role, self.valid_from(), self.valid_to())
    }

    /// rid = H32("rid"; params_id, rec); of a ticket the nullifier (§2.1).
    pub fn rid(&self, params: &Params) -> RecordId {
        RecordId(h32(label::RID, &[&params.id, &self.0]))
    }

    /// Coefficient of Ppub: h = HS("h"; params_id, rec) (§3.2).
    pub fn h(&self, params: &Params) -> Scalar {
        hs(label::H, &[&params.id, &self.0])
    }

    /// Coefficient of X: g = HS("g"; params_id, rec) (§3.2).
    pub fn g(&self, params: &Params) -> Scalar {
        hs(label::G, &[&params.id, &self.0])
    }

    /// Derives PK = R + h·Ppub + g·X; 2 decodings and one 3-point product. Derive once and keep.
    ///
    /// # Errors
    /// [`Error::PointEncoding`] for X, R or PK = O.
    pub fn derive(&self, params: &Params) -> Result<PublicRecord, Error> {
        let (x, r) = (group::dec(&self.x())?, group::dec(&self.r())?);
        let (h, g) = (self.h(params), self.g(params));
        let pk = RistrettoPoint::vartime_multiscalar_mul([Scalar::ONE, h, g], [r, params.ppub, x]);
        if group::is_neutral(&pk) {
            return Err(Error::PointEncoding);
        }
        Ok(PublicRecord::new(*self, self.rid(params), h, g, pk))
    }

    /// Both sides of the acceptance equation, d·P and R + h·Ppub, encoded (paper §4.1).
    ///
    /// # Errors
    /// [`Error::PointEncoding`] for R.
    pub fn partial_key_equation(&self, params: &Params, d: &Scalar) -> Result<([u8; 32], [u8; 32]), Error> {
        let r = group::dec(&self.r())?;
        let right = r + self.h(params) * params.ppub;
        Ok((group::enc(&RistrettoPoint::mul_base(d)), group::enc(&right)))
    }
}

/// Class, role and validity that a record may have (§3.2).
///
/// # Errors
/// [`Error::RecordFormat`].
pub fn format_rule(class: Class, role: Role, from: u32, to: u32) -> Result<(), Error> {
    let fits = match class {
        Class::Id => true,
        Class::Ticket => matches!(role, Role::Csc | Role::Css | Role::Ev) && from == to,
        Class::Session => role == Role::Ev && from == to,
    };
    if fits && from <= to { Ok(()) } else { Err(Error::RecordFormat) }
}

/// A record with what follows from it: id, coefficients and public key.
#[derive(Clone, Debug)]
pub struct PublicRecord {
    pub record: Record,
    pub rid: RecordId,
    pub h: Scalar,
    pub g: Scalar,
    pub pk: RistrettoPoint,
    /// PK once more, for sending to many at once.
    pub(crate) point: Option<Point>,
}

impl PublicRecord {
    /// A record with coefficients and key as they were computed from it.
    pub(crate) fn new(record: Record, rid: RecordId, h: Scalar, g: Scalar, pk: RistrettoPoint) -> PublicRecord {
        PublicRecord { record, rid, h, g, pk, point: prepared(&pk) }
    }
}

/// The base point, for those who write equations.
pub const BASE: RistrettoPoint = P;
