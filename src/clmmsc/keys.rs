//! A user's keys: the secret x it draws itself, and the full key sk = d + g·x once the KGC's half has been accepted
//! (paper §4.1, CLMMSC.md §3.4).
//!
//! Secrets are wiped on drop and never printed. Keys are `Clone` because a simulated world is cloned whole; a [`Ticket`]
//! is not.

use super::error::Error;
use super::group;
use super::hash::{h16, h32, h64, label};
use super::params::Params;
use super::record::{Class, PublicRecord, Record, Role};
use super::secret::Secret;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// x and X = x·P, drawn by the user; the KGC never sees x, and nobody can take it out:
/// ```
/// # use voltcast::clmmsc::UserSecret;
/// let public = UserSecret::from_wide(&[7; 64]).public();
/// ```
/// ```compile_fail,E0616
/// # use voltcast::clmmsc::UserSecret;
/// let secret = UserSecret::from_wide(&[7; 64]).x;
/// ```
/// ```compile_fail,E0624
/// # use voltcast::clmmsc::UserSecret;
/// let secret = UserSecret::from_wide(&[7; 64]).scalar();
/// ```
/// ```compile_fail,E0277
/// # use voltcast::clmmsc::UserSecret;
/// println!("{}", UserSecret::from_wide(&[7; 64]));
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct UserSecret {
    x: Scalar,
    #[zeroize(skip)]
    public: [u8; 32],
}

impl core::fmt::Debug for UserSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("UserSecret(..)")
    }
}

impl UserSecret {
    /// From 64 random bytes; the zero scalar (never seen) is replaced by one.
    pub fn from_wide(bytes: &[u8; 64]) -> UserSecret {
        let x = Scalar::from_bytes_mod_order_wide(bytes);
        UserSecret::from_scalar(if x == Scalar::ZERO { Scalar::ONE } else { x })
    }

    /// From a known scalar (test vectors).
    pub fn from_scalar(x: Scalar) -> UserSecret {
        UserSecret { x, public: group::enc(&RistrettoPoint::mul_base(&x)) }
    }

    /// X = x·P, encoded.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    pub(crate) fn scalar(&self) -> &Scalar {
        &self.x
    }

    /// Nonce key before any d exists: H32("nk"; x, 0^32).
    pub(crate) fn first_nonce_key(&self) -> Secret<[u8; 32]> {
        h32(label::NK, &[self.x.as_bytes(), &[0; 32]]).into()
    }
}

/// What a requester asked for; an answer must match it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    pub class: Class,
    pub role: Role,
    pub from: u32,
    pub to: u32,
}

/// A record with its full private key.
#[derive(Clone, ZeroizeOnDrop)]
pub struct KeyPair {
    #[zeroize(skip)]
    public: PublicRecord,
    x: Scalar,
    d: Scalar,
    sk: Scalar,
    nk: [u8; 32],
}

impl core::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "KeyPair({})", self.public.rid)
    }
}

impl KeyPair {
    /// `Accept` of §3.4: the issued record is the wanted one and d·P = R + h·Ppub; then sk = d + g·x. Cost: D + 2 F + M1.
    ///
    /// # Errors
    /// In this order: [`Error::RecordMismatch`], [`Error::PointEncoding`], [`Error::ScalarEncoding`],
    /// [`Error::PartialKey`].
    pub fn accept(
        params: &Params,
        want: &Wanted,
        user: &UserSecret,
        rec: &Record,
        d: &[u8; 32],
    ) -> Result<KeyPair, Error> {
        let as_wanted = rec.is(want.class, want.role) && rec.valid_from() == want.from && rec.valid_to() == want.to;
        if !as_wanted || rec.x() != user.public() {
            return Err(Error::RecordMismatch);
        }
        let r = group::dec(&rec.r())?;
        let d = Zeroizing::new(group::scal(d)?);
        let (h, g) = (rec.h(params), rec.g(params));
        if RistrettoPoint::mul_base(&d) != r + RistrettoPoint::vartime_multiscalar_mul([h], [params.ppub]) {
            return Err(Error::PartialKey);
        }
        let sk = Zeroizing::new(*d + g * user.x);
        if *sk == Scalar::ZERO {
            return Err(Error::PartialKey);
        }
        let pk = RistrettoPoint::mul_base(&sk);
        let public = PublicRecord::new(*rec, rec.rid(params), h, g, pk);
        let nk = h32(label::NK, &[user.x.as_bytes(), d.as_bytes()]);
        Ok(KeyPair { public, x: user.x, d: *d, sk: *sk, nk })
    }

    pub fn public(&self) -> &PublicRecord {
        &self.public
    }

    pub fn record(&self) -> &Record {
        &self.public.record
    }

    /// This secret under another's record, which it does not fit: what a thief of names has.
    pub(crate) fn under(&self, public: PublicRecord) -> KeyPair {
        let mut borrowed = self.clone();
        borrowed.public = public;
        borrowed
    }

    pub(crate) fn sk(&self) -> &Scalar {
        &self.sk
    }

    pub(crate) fn nonce_key(&self) -> &[u8; 32] {
        &self.nk
    }

    /// sk for test vectors.
    #[doc(hidden)]
    pub fn expose_sk(&self) -> [u8; 32] {
        self.sk.to_bytes()
    }
}

/// A one-time sender ticket. [`signcrypt`](super::signcrypt::signcrypt) takes it by value and it cannot be copied, so it
/// is used once:
/// ```
/// # use voltcast::clmmsc::{keys::Ticket, signcrypt::{Envelope, Item, signcrypt}, KeyPair, Params};
/// # fn once(params: &Params, env: &Envelope, sender: &KeyPair, ticket: Ticket, items: &[Item<'_>]) {
/// let first = signcrypt(params, env, sender, ticket, items, &[1; 32]);
/// # }
/// ```
/// ```compile_fail,E0382
/// # use voltcast::clmmsc::{keys::Ticket, signcrypt::{Envelope, Item, signcrypt}, KeyPair, Params};
/// # fn twice(params: &Params, env: &Envelope, sender: &KeyPair, ticket: Ticket, items: &[Item<'_>]) {
/// let first = signcrypt(params, env, sender, ticket, items, &[1; 32]);
/// let second = signcrypt(params, env, sender, ticket, items, &[2; 32]);
/// # }
/// ```
/// ```compile_fail,E0308
/// # use voltcast::clmmsc::Ticket;
/// fn copy(ticket: &Ticket) -> Ticket {
///     ticket.clone()
/// }
/// ```
/// ```compile_fail,E0624
/// # use voltcast::clmmsc::Ticket;
/// fn copy(ticket: &Ticket) -> Ticket {
///     ticket.duplicate()
/// }
/// ```
#[derive(Debug)]
pub struct Ticket(KeyPair);

impl ZeroizeOnDrop for Ticket {}

impl Ticket {
    /// # Errors
    /// [`Error::TicketClass`] if the record is no ticket.
    pub fn new(pair: KeyPair) -> Result<Ticket, Error> {
        if pair.record().class() == Some(Class::Ticket) { Ok(Ticket(pair)) } else { Err(Error::TicketClass) }
    }

    /// A second ticket over the same key: for the copy of a whole world, and for attacks that use one twice.
    pub(crate) fn duplicate(&self) -> Ticket {
        Ticket(self.0.clone())
    }

    pub(crate) fn pair(&self) -> &KeyPair {
        &self.0
    }

    pub fn record(&self) -> &Record {
        self.0.record()
    }
}

/// A record and its partial private key d, as issued.
pub type IssuedItem = (Record, Secret<[u8; 32]>);

/// Weights w_j = H16("bw"; seed, j) of a batch.
pub(crate) fn batch_weights(seed: &[u8; 64], count: usize) -> Vec<[u8; 16]> {
    (0..count as u32).map(|j| h16(label::BW, &[seed, &j.to_le_bytes()])).collect()
}

pub(crate) fn weight_scalar(weight: &[u8; 16]) -> Scalar {
    Scalar::from(u128::from_le_bytes(*weight))
}

/// Weights of a batch of partial keys, for test vectors and the page.
pub fn accept_weights(items: &[IssuedItem]) -> Vec<[u8; 16]> {
    let joined: Vec<Secret<Vec<u8>>> = items.iter().map(|(rec, d)| [rec.0.as_slice(), &**d].concat().into()).collect();
    let parts: Vec<&[u8]> = joined.iter().map(|item| item.as_slice()).collect();
    batch_weights(&h64(label::BATCH_D, &parts), items.len())
}

/// Batch form of the acceptance equation: (Σ w_j·d_j)·P = Σ w_j(R_j + h_j·Ppub). What does not decode fails the batch.
/// Only the right side, which is public, is computed in variable time.
pub fn accept_batch(params: &Params, items: &[IssuedItem]) -> bool {
    let weights = accept_weights(items);
    let (mut base, mut ppub) = (Zeroizing::new(Scalar::ZERO), Scalar::ZERO);
    let (mut scalars, mut points) = (Vec::new(), Vec::new());
    for ((rec, d), weight) in items.iter().zip(&weights) {
        let (Ok(r), Ok(d)) = (group::dec(&rec.r()), group::scal(d)) else { return false };
        let w = weight_scalar(weight);
        *base += w * d;
        ppub += w * rec.h(params);
        scalars.push(w);
        points.push(r);
    }
    scalars.push(ppub);
    points.push(params.ppub);
    RistrettoPoint::mul_base(&base) == RistrettoPoint::vartime_multiscalar_mul(scalars, points)
}

/// Single form for an unknown x: R and d decode and d·P = R + h·Ppub (§3.4). Cost: 2 D + F + V + 2 C.
///
/// # Errors
/// [`Error::PointEncoding`], [`Error::ScalarEncoding`], [`Error::PartialKey`].
pub fn check_partial_key(params: &Params, rec: &Record, d: &[u8; 32]) -> Result<(), Error> {
    group::dec(&rec.r())?;
    let (left, right) = rec.partial_key_equation(params, &Zeroizing::new(group::scal(d)?))?;
    if bool::from(left.ct_eq(&right)) { Ok(()) } else { Err(Error::PartialKey) }
}
