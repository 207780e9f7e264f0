//! Public keys PK = R + h·Ppub + g·X with one thing left out (CLMMSC.md §0, choices 1 and 2).

use crate::clmmsc::hash::{hs, label};
use crate::clmmsc::{Error, Params, PublicRecord, Record, group};
use curve25519_dalek::scalar::Scalar;
use std::ops::Range;

/// What is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Missing {
    /// PK = R + h·Ppub: the user has no half of its own.
    X,
    /// PK = R + h·Ppub + X.
    G,
    /// h does not cover X.
    XInH,
    /// Neither h nor g covers X.
    XInBoth,
    /// Neither h nor g covers class and role.
    Kind,
    /// Neither h nor g covers the parameters.
    Network,
}

impl Missing {
    /// (h, g) of a record.
    pub(crate) fn coefficients(self, params: &Params, rec: &Record) -> (Scalar, Scalar) {
        match self {
            Missing::X => (rec.h(params), Scalar::ZERO),
            Missing::G => (rec.h(params), Scalar::ONE),
            Missing::XInH => (without(rec, 42..74).h(params), rec.g(params)),
            Missing::XInBoth => both(params, &without(rec, 42..74)),
            Missing::Kind => both(params, &without(rec, 0..2)),
            Missing::Network => (hs(label::H, &[&rec.0]), hs(label::G, &[&rec.0])),
        }
    }

    /// The secret key sk = r + h·s + g·x of a record, as its KGC and its owner make it together.
    pub(crate) fn secret(self, params: &Params, rec: &Record, (s, r, x): (&Scalar, &Scalar, &Scalar)) -> Scalar {
        let (h, g) = self.coefficients(params, rec);
        r + h * s + g * x
    }

    /// The record with the public key that follows.
    ///
    /// # Errors
    /// [`Error::PointEncoding`] for X or R.
    pub(crate) fn derive(self, params: &Params, rec: &Record) -> Result<PublicRecord, Error> {
        let (h, g) = self.coefficients(params, rec);
        let (x, r) = (group::dec(&rec.x())?, group::dec(&rec.r())?);
        Ok(PublicRecord::new(*rec, rec.rid(params), h, g, r + h * params.ppub + g * x))
    }
}

fn both(params: &Params, rec: &Record) -> (Scalar, Scalar) {
    (rec.h(params), rec.g(params))
}

/// The record with some bytes zeroed, which takes them out of every hash over it.
fn without(rec: &Record, bytes: Range<usize>) -> Record {
    let mut rest = *rec;
    rest.0[bytes].fill(0);
    rest
}
