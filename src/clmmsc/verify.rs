//! Public verification (paper §4.3 and §5.1(5), CLMMSC.md §7): with public parameters only, no secret.
//!
//! The checks V1–V7 are made in exactly this order and the first failure is the answer. Only verified values can be
//! decapsulated or opened: [`VerifiedHeader`] at the EV, [`VerifiedSigma`] at gateways and piles.

use super::check::{Check, Failure};
use super::error::Error;
use super::group;
use super::hash::{Hasher, h32, h64, hs, label};
use super::keys::{batch_weights, weight_scalar};
use super::params::{self, Params};
use super::record::{BASE, Class, Flow, RecordId, SigmaId};
use super::schnorr::{self, Name};
use super::wire::{self, CONTEXT, HEADER, Header, SIGNED, TAG, take};
use super::{merkle, record::Record};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, VartimeMultiscalarMul};
use std::sync::Arc;

/// ctx = H32("ctx"; params_id, header\[0..170\]).
pub fn context(params: &Params, bytes: &[u8]) -> [u8; 32] {
    h32(label::CTX, &[&params.id, &bytes[..CONTEXT.min(bytes.len())]])
}

/// σ_id = H32("sid"; params_id, header\[0..388\]).
pub fn sigma_id(params: &Params, bytes: &[u8]) -> SigmaId {
    SigmaId(h32(label::SID, &[&params.id, &bytes[..SIGNED.min(bytes.len())]]))
}

/// leaf_j = H32("leaf"; ctx, u32 j, entry_j).
pub fn leaf_hash(ctx: &[u8; 32], j: u32, entry: &[u8]) -> [u8; 32] {
    h32(label::LEAF, &[ctx, &j.to_le_bytes(), entry])
}

/// node = H32("node"; left, right).
pub fn node_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    h32(label::NODE, &[left, right])
}

/// A header that passed V1–V5; all that an EV needs. The only way to one is [`VerifiedHeader::verify`], and
/// [`decapsulate`](super::open::decapsulate) takes nothing else:
/// ```
/// # use voltcast::clmmsc::{open::{EntryKey, decapsulate}, verify::VerifiedHeader, Failure, KeyPair, Params};
/// fn answer(params: &Params, bytes: &[u8], key: &KeyPair) -> Result<EntryKey, Failure> {
///     Ok(decapsulate(&VerifiedHeader::verify(params, bytes, 100)?, key))
/// }
/// ```
/// ```compile_fail,E0308
/// # use voltcast::clmmsc::{open::{EntryKey, decapsulate}, KeyPair};
/// fn answer(bytes: &[u8], key: &KeyPair) -> EntryKey {
///     decapsulate(bytes, key)
/// }
/// ```
/// ```compile_fail,E0451
/// # use voltcast::clmmsc::{verify::VerifiedHeader, wire::Header};
/// fn pretend(known: &VerifiedHeader, header: Header) -> VerifiedHeader {
///     VerifiedHeader { header, ..known.clone() }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct VerifiedHeader {
    header: Header,
    pub(super) ctx: [u8; 32],
    id: SigmaId,
    nullifier: RecordId,
    t: RistrettoPoint,
}

impl VerifiedHeader {
    /// V1–V5 on exactly 452 bytes.
    ///
    /// # Errors
    /// The first failing check.
    pub fn verify(params: &Params, bytes: &[u8], now: u64) -> Result<VerifiedHeader, Failure> {
        let header = check_format(params, bytes, true)?;
        check_header(params, bytes, header, now)
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    pub fn id(&self) -> SigmaId {
        self.id
    }

    pub fn context(&self) -> &[u8; 32] {
        &self.ctx
    }

    /// rid of the ticket.
    pub fn nullifier(&self) -> RecordId {
        self.nullifier
    }

    pub(crate) fn t(&self) -> &RistrettoPoint {
        &self.t
    }
}

/// A σ that passed V1–V6; V7 depends on a ledger, see [`VerifiedSigma::check_ledger`]. The only way to one is
/// [`VerifiedSigma::verify`], and [`open`](super::open::open) takes nothing else:
/// ```
/// # use std::sync::Arc;
/// # use voltcast::clmmsc::{open::{EntryKey, Opened, Receiver, open}, verify::VerifiedSigma, Failure, Params};
/// fn read(params: &Params, bytes: &Arc<[u8]>, who: &Receiver<'_>, k: &EntryKey) -> Result<Opened, Failure> {
///     open(params, &VerifiedSigma::verify(params, bytes, 100)?, who, k)
/// }
/// ```
/// ```compile_fail,E0308
/// # use std::sync::Arc;
/// # use voltcast::clmmsc::{open::{EntryKey, Opened, Receiver, open}, Failure, Params};
/// fn read(params: &Params, bytes: &Arc<[u8]>, who: &Receiver<'_>, k: &EntryKey) -> Result<Opened, Failure> {
///     open(params, bytes, who, k)
/// }
/// ```
/// ```compile_fail,E0308
/// # use voltcast::clmmsc::{open::{EntryKey, Opened, Receiver, open}, verify::VerifiedHeader, Failure, Params};
/// fn read(params: &Params, head: &VerifiedHeader, who: &Receiver<'_>, k: &EntryKey) -> Result<Opened, Failure> {
///     open(params, head, who, k)
/// }
/// ```
/// ```compile_fail,E0451
/// # use std::sync::Arc;
/// # use voltcast::clmmsc::verify::VerifiedSigma;
/// fn pretend(known: &VerifiedSigma, bytes: Arc<[u8]>) -> VerifiedSigma {
///     VerifiedSigma { bytes, ..known.clone() }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct VerifiedSigma {
    pub(super) head: VerifiedHeader,
    pub(super) bytes: Arc<[u8]>,
}

impl VerifiedSigma {
    /// V1–V6 at time `now` (unix seconds; the block's time for a block).
    ///
    /// # Errors
    /// The first failing check.
    pub fn verify(params: &Params, bytes: &Arc<[u8]>, now: u64) -> Result<VerifiedSigma, Failure> {
        let header = check_format(params, bytes, false)?;
        VerifiedSigma::with_body(check_header(params, bytes, header, now)?, bytes)
    }

    /// V6, for a header that has passed V1–V5.
    pub(super) fn with_body(head: VerifiedHeader, bytes: &Arc<[u8]>) -> Result<VerifiedSigma, Failure> {
        let sigma = VerifiedSigma { head, bytes: bytes.clone() };
        sigma.check_order()?;
        sigma.check_root()?;
        Ok(sigma)
    }

    /// V6, first half.
    fn check_order(&self) -> Result<(), Failure> {
        let rising = (1..self.head.header.n).all(|j| self.tag(j - 1) < self.tag(j));
        if rising { Ok(()) } else { Err(Failure { check: Check::V6, error: Error::TagOrder }) }
    }

    /// V6, second half.
    pub(super) fn check_root(&self) -> Result<(), Failure> {
        let root = merkle::root(&self.leaves(), &node_hash);
        let signed = root == Some(self.head.header.root);
        if signed { Ok(()) } else { Err(Failure { check: Check::V6, error: Error::Root }) }
    }

    /// Leaf hashes of the entries, in order.
    pub(crate) fn leaves(&self) -> Vec<[u8; 32]> {
        (0..self.head.header.n).map(|j| leaf_hash(&self.head.ctx, j, self.entry(j))).collect()
    }

    /// V7: `stored` tells which σ_id a nullifier is known with.
    ///
    /// # Errors
    /// [`Error::Duplicate`] (harmless: the same σ again) or [`Error::TicketReuse`].
    pub fn check_ledger(&self, stored: impl Fn(&RecordId) -> Option<SigmaId>) -> Result<(), Failure> {
        let error = match stored(&self.head.nullifier) {
            None => return Ok(()),
            Some(id) if id == self.head.id => Error::Duplicate,
            Some(_) => Error::TicketReuse,
        };
        Err(Failure { check: Check::V7, error })
    }

    pub fn head(&self) -> &VerifiedHeader {
        &self.head
    }

    pub fn header(&self) -> &Header {
        &self.head.header
    }

    pub fn id(&self) -> SigmaId {
        self.head.id
    }

    pub fn nullifier(&self) -> RecordId {
        self.head.nullifier
    }

    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// The 452 header bytes, as handed to an EV.
    pub fn header_bytes(&self) -> &[u8] {
        &self.bytes[..HEADER]
    }

    /// Entry j < n: tag, ciphertext, AEAD tag.
    pub(crate) fn entry(&self, j: u32) -> &[u8] {
        let len = wire::ENTRY_EXTRA + self.head.header.l as usize;
        let at = HEADER + j as usize * len;
        self.bytes.get(at..at + len).unwrap_or_default()
    }

    pub(crate) fn tag(&self, j: u32) -> &[u8] {
        self.entry(j).get(..TAG).unwrap_or_default()
    }
}

/// V1.
pub(super) fn check_format(params: &Params, bytes: &[u8], header_only: bool) -> Result<Header, Failure> {
    check_format_with(params, bytes, header_only, wire::total_len)
}

/// V1 with this way to compute the total length from n and L.
pub(super) fn check_format_with(
    params: &Params,
    bytes: &[u8],
    header_only: bool,
    total_len: fn(u32, u32) -> u64,
) -> Result<Header, Failure> {
    let refuse = |error| Err(Failure { check: Check::V1, error });
    if bytes.len() < HEADER {
        return refuse(Error::Length);
    }
    if &bytes[..4] != wire::MAGIC {
        return refuse(Error::Magic);
    }
    if bytes[4] != wire::VERSION {
        return refuse(Error::Version);
    }
    if bytes[5] != params::SUITE {
        return refuse(Error::Suite);
    }
    let Some(flow) = Flow::from_code(bytes[6]) else { return refuse(Error::Flow) };
    if bytes[7] != 0 {
        return refuse(Error::Flags);
    }
    let header = Header::read(bytes, flow);
    if !(1..=wire::MAX_RECEIVERS).contains(&header.n) {
        return refuse(Error::Count);
    }
    if wire::bucket(header.l.into()) != Some(header.l) {
        return refuse(Error::Bucket);
    }
    let total = total_len(header.n, header.l);
    let exact = if header_only { HEADER as u64 } else { total };
    if total > params.policy.max_bytes || bytes.len() as u64 != exact { refuse(Error::Length) } else { Ok(header) }
}

/// V2 and V3.
pub(super) fn check_ticket_and_time(params: &Params, header: &Header, now: u64) -> Result<(), Failure> {
    let ticket = |error| Err(Failure { check: Check::V2, error });
    let (tk, policy) = (&header.ticket, &params.policy);
    if tk.class() != Some(Class::Ticket) {
        return ticket(Error::TicketClass);
    }
    if tk.role() != Some(header.flow.sender()) {
        return ticket(Error::TicketRole);
    }
    if u64::from(header.epoch) != params.epoch_wide(header.created) {
        return ticket(Error::EpochMismatch);
    }
    if tk.valid_from() != header.epoch || tk.valid_to() != header.epoch {
        return ticket(Error::TicketValidity);
    }
    let time = |error| Err(Failure { check: Check::V3, error });
    if !(1..=policy.ttl_max).contains(&header.ttl) {
        return time(Error::Ttl);
    }
    if header.created > now.saturating_add(policy.skew.into()) {
        return time(Error::NotYetValid);
    }
    if now > header.created.saturating_add(header.ttl.into()) { time(Error::Expired) } else { Ok(()) }
}

/// The decoded points and the scalars of the outer equation.
pub(super) struct Outer {
    t: RistrettoPoint,
    x: RistrettoPoint,
    r: RistrettoPoint,
    z: Scalar,
    pub(super) e: Scalar,
    pub(super) h: Scalar,
    pub(super) g: Scalar,
    pub(super) b: Scalar,
    pub(super) n: [u8; 32],
}

/// How 32 bytes become a point: [`group::dec`].
pub(super) type Decode = fn(&[u8; 32]) -> Result<RistrettoPoint, Error>;

impl Outer {
    /// V4, and the scalars of V5.
    pub(super) fn read(params: &Params, bytes: &[u8], header: &Header) -> Result<Outer, Failure> {
        Outer::read_with(params, bytes, header, group::dec)
    }

    pub(super) fn read_with(params: &Params, bytes: &[u8], header: &Header, decode: Decode) -> Result<Outer, Failure> {
        let tk = &header.ticket;
        let point = |b: &[u8; 32]| decode(b).map_err(Failure::at(Check::V4));
        let (t, x, r) = (point(&header.t)?, point(&tk.x())?, point(&tk.r())?);
        let (n, z) = schnorr::halves(&header.outer);
        let z = group::scal(&z).map_err(Failure::at(Check::V5))?;
        let m = h64(label::OM, &[&params.id, &bytes[..SIGNED]]);
        let e = schnorr::challenge(Name::Outer, &tk.rid(params), &n, &m);
        let b = hs(label::BIND, &[&context(params, bytes)]);
        Ok(Outer { t, x, r, z, e, h: tk.h(params), g: tk.g(params), b, n })
    }

    /// N' = z·P − e·R' − (e·h')·Ppub − (e·g')·X' − (e·b)·T.
    fn commitment(&self, params: &Params) -> RistrettoPoint {
        let e = self.e;
        let scalars = [self.z, -e, -(e * self.h), -(e * self.g), -(e * self.b)];
        RistrettoPoint::vartime_multiscalar_mul(scalars, [BASE, self.r, params.ppub, self.x, self.t])
    }

    /// The equation of V5.
    pub(super) fn check(&self, params: &Params) -> Result<(), Failure> {
        let recomputed = self.commitment(params);
        let good = !group::is_neutral(&recomputed) && group::enc(&recomputed) == self.n;
        if good { Ok(()) } else { Err(Failure { check: Check::V5, error: Error::Signature }) }
    }

    /// What is known of a header that has passed.
    pub(super) fn verified(&self, params: &Params, bytes: &[u8], header: Header) -> VerifiedHeader {
        VerifiedHeader {
            header,
            ctx: context(params, bytes),
            id: sigma_id(params, bytes),
            nullifier: header.ticket.rid(params),
            t: self.t,
        }
    }
}

/// V2–V5.
fn check_header(params: &Params, bytes: &[u8], header: Header, now: u64) -> Result<VerifiedHeader, Failure> {
    check_ticket_and_time(params, &header, now)?;
    let outer = Outer::read(params, bytes, &header)?;
    outer.check(params)?;
    Ok(outer.verified(params, bytes, header))
}

/// Both sides of V5, encoded: N as sent, and N' = z·P − e·(R' + h'·Ppub + g'·X' + b·T). `None` if the bytes are no σ or a
/// point does not decode.
pub fn outer_equation(params: &Params, bytes: &[u8]) -> Option<([u8; 32], [u8; 32])> {
    let flow = Flow::from_code(*bytes.get(6)?).filter(|_| bytes.len() >= HEADER)?;
    let outer = Outer::read(params, bytes, &Header::read(bytes, flow)).ok()?;
    Some((outer.n, group::enc(&outer.commitment(params))))
}

/// Both sides of V6: the root as signed, and the root over the entries as they are. `None` if the lengths do not fit.
pub fn root_equation(params: &Params, bytes: &[u8]) -> Option<([u8; 32], [u8; 32])> {
    let header = check_format(params, bytes, false).ok()?;
    let ctx = context(params, bytes);
    let entries = bytes[HEADER..].chunks(wire::ENTRY_EXTRA + header.l as usize);
    let leaves: Vec<_> = entries.enumerate().map(|(j, entry)| leaf_hash(&ctx, j as u32, entry)).collect();
    Some((header.root, merkle::root(&leaves, &node_hash)?))
}

/// Weights of a batch of σ (§7.2): seed H64("batch-o"; header_1, .., header_m).
pub fn batch_sigma_weights(sigmas: &[&[u8]]) -> Vec<[u8; 16]> {
    let mut hasher = Hasher::new(label::BATCH_O, sigmas.len());
    sigmas.iter().for_each(|s| hasher.part(&s[..HEADER.min(s.len())]));
    batch_weights(&hasher.finish(), sigmas.len())
}

/// Batch form of V5 over headers that passed V1–V4: one product of 4m + 2 points. On `false` verify singly; the single
/// result is the answer.
pub fn verify_batch(params: &Params, sigmas: &[&[u8]]) -> bool {
    verify_batch_with(params, sigmas, &batch_sigma_weights(sigmas))
}

/// The same with these weights.
pub(super) fn verify_batch_with(params: &Params, sigmas: &[&[u8]], weights: &[[u8; 16]]) -> bool {
    let (mut base, mut ppub) = (Scalar::ZERO, Scalar::ZERO);
    let (mut scalars, mut points) = (Vec::new(), Vec::new());
    for (bytes, weight) in sigmas.iter().zip(weights) {
        let flow = bytes.get(6).copied().and_then(Flow::from_code).filter(|_| bytes.len() >= HEADER);
        let Some(flow) = flow else { return false };
        let Ok(o) = Outer::read(params, bytes, &Header::read(bytes, flow)) else { return false };
        let Ok(n) = group::dec(&o.n) else { return false };
        let w = weight_scalar(weight);
        base += w * o.z;
        ppub -= w * o.e * o.h;
        let e = w * o.e;
        scalars.extend([-w, -e, -(e * o.g), -(e * o.b)]);
        points.extend([n, o.r, o.x, o.t]);
    }
    scalars.extend([base, ppub]);
    points.extend([BASE, params.ppub]);
    RistrettoPoint::vartime_multiscalar_mul(scalars, points) == RistrettoPoint::identity()
}

/// The ticket record of a σ's bytes, unchecked (for people who look at them).
pub fn ticket_of(bytes: &[u8]) -> Option<Record> {
    (bytes.len() >= HEADER).then(|| Record(take(bytes, 64)))
}
