//! The key generation centre (paper §4.1, CLMMSC.md §3.1, §3.4, §3.6): master keys, issuing, and the desk that answers
//! requests.
//!
//! The desk remembers before it answers, and answers a repeated request with the same bytes. It never sees x.

use super::channel::{self, Purpose};
use super::check::{Check, Failure};
use super::error::Error;
use super::group;
use super::hash::{hs, label};
use super::keys::{IssuedItem, KeyPair};
use super::params::{Params, Policy};
use super::pseudonym::{self, Identity};
use super::reader::Reader;
use super::record::{Class, Record, RecordId, Role, format_rule};
use super::request::{self, ACCEPTED, HEAD, Head, MAX_KEYS};
use super::schnorr::{self, Message, Name, Signature};
use super::secret::Secret;
use super::ticket_opening::Claim;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// s and kf, two independent secrets: stealing s opens no identity, stealing kf issues nothing. Neither can be taken out:
/// ```compile_fail,E0616
/// # use voltcast::clmmsc::kgc::MasterKey;
/// let s = MasterKey::new(&[1; 64], [2; 32]).s;
/// ```
#[derive(Clone, ZeroizeOnDrop)]
pub struct MasterKey {
    s: Scalar,
    kf: [u8; 32],
}

impl core::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

/// What to issue and for whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Issue {
    pub class: Class,
    pub role: Role,
    pub from: u32,
    pub to: u32,
    pub uid: u64,
    pub ctr: u32,
}

impl MasterKey {
    /// From 64 random bytes for s (zero, never seen, is replaced by one) and 32 for kf.
    pub fn new(s: &[u8; 64], kf: [u8; 32]) -> MasterKey {
        let s = Scalar::from_bytes_mod_order_wide(s);
        MasterKey { s: if s == Scalar::ZERO { Scalar::ONE } else { s }, kf }
    }

    /// From a known scalar (test vectors).
    ///
    /// # Errors
    /// [`Error::ScalarEncoding`].
    pub fn from_scalar(s: &[u8; 32], kf: [u8; 32]) -> Result<MasterKey, Error> {
        Ok(MasterKey { s: group::scal(s)?, kf })
    }

    /// Ppub = s·P and the policy as public parameters.
    ///
    /// # Errors
    /// As [`Params::new`].
    pub fn params(&self, net: &str, policy: Policy) -> Result<Params, Error> {
        Params::new(net, &group::enc(&RistrettoPoint::mul_base(&self.s)), policy)
    }

    /// `Issue`: f, R = r·P, d = r + h·s with r = HS("kgc-r"; ..), so r never repeats with another h.
    ///
    /// # Errors
    /// [`Error::PointEncoding`] for X.
    pub fn issue(&self, params: &Params, what: &Issue, x: &[u8; 32], rand32: &[u8; 32]) -> Result<IssuedItem, Error> {
        group::dec(x)?;
        let identity = Identity { uid: what.uid, valid_from: what.from, ctr: what.ctr };
        let f = pseudonym::make(&self.kf, what.class, what.role, &identity);
        let kind = [what.class as u8, what.role as u8];
        let (from, to) = (what.from.to_le_bytes(), what.to.to_le_bytes());
        let parts: [&[u8]; 9] = [&params.id, &self.kf, self.s.as_bytes(), &kind, &from, &to, &f, x, rand32];
        Ok(self.issue_under(params, what, &f, x, &Zeroizing::new(hs(label::KGC_R, &parts))))
    }

    /// The record with R = r·P, and d = r + h·s.
    pub(super) fn issue_under(
        &self,
        params: &Params,
        what: &Issue,
        f: &[u8; 32],
        x: &[u8; 32],
        r: &Scalar,
    ) -> IssuedItem {
        let point = group::enc(&RistrettoPoint::mul_base(r));
        let rec = Record::new(what.class, what.role, what.from, what.to, f, x, &point);
        let d = Zeroizing::new(r + rec.h(params) * self.s);
        (rec, d.to_bytes().into())
    }

    /// Opens a pseudo-identity (§3.3): hashes only.
    ///
    /// # Errors
    /// [`Error::Pseudonym`].
    pub fn open(&self, class: Class, role: Role, f: &[u8; 32]) -> Result<Identity, Error> {
        pseudonym::open(&self.kf, class, role, f)
    }

    /// Makes f (test vectors).
    pub fn pseudonym(&self, class: Class, role: Role, identity: &Identity) -> [u8; 32] {
        pseudonym::make(&self.kf, class, role, identity)
    }

    /// Seals an answer to the first X of a request (§3.6): E' = ε'·P, Z = ε'·X_1. Cost: D + F + V + 2 C.
    ///
    /// # Errors
    /// [`Error::PointEncoding`] for X_1.
    pub fn seal_answer(
        &self,
        params: &Params,
        m: &Message,
        x1: &[u8; 32],
        items: &[IssuedItem],
        rand32: &[u8; 32],
    ) -> Result<Vec<u8>, Error> {
        let parts: Vec<&[u8]> = items.iter().flat_map(|(rec, d)| [&rec.0[..], &d[..]]).collect();
        let plain = Secret::from(parts.concat());
        let mut wire = ACCEPTED.to_vec();
        wire.extend(channel::seal_answer(params, &self.kf, m, x1, &plain, rand32)?);
        Ok(wire)
    }
}

/// One registered user.
#[derive(Clone, Debug)]
pub struct User {
    pub role: Role,
    /// One-time enrolment code; `None` once spent.
    pub code: Option<Secret<[u8; 32]>>,
    /// ID records issued to this user.
    pub records: Vec<(RecordId, Option<Record>)>,
    /// Time and gateway of the last attach.
    pub attached: Option<(u64, RecordId)>,
}

/// What the KGC knows of its users and of the requests it answered.
#[derive(Clone, Default)]
pub struct Desk {
    users: BTreeMap<u64, User>,
    known_keys: BTreeSet<[u8; 32]>,
    gateways: BTreeSet<RecordId>,
    /// body ‖ auth → the answer sent.
    answered: BTreeMap<Vec<u8>, Arc<[u8]>>,
    /// Next counter per (class, role, uid, valid_from).
    counters: BTreeMap<(u8, u8, u64, u32), u32>,
}

/// Who owns which X and which code is nobody's business.
impl core::fmt::Debug for Desk {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Desk({} users)", self.users.len())
    }
}

/// A request that passed every check.
#[derive(Clone, Debug)]
pub struct Granted {
    pub head: Head,
    pub digest: Message,
    /// X_1.. of kinds 1 and 2.
    pub keys: Vec<[u8; 32]>,
    /// Gateway and time of an attach.
    pub attach: Option<(RecordId, u64)>,
    /// The stored answer, if these exact bytes were answered before.
    pub stored: Option<Arc<[u8]>>,
    inner: Secret<Vec<u8>>,
}

struct Parsed {
    head: Head,
    keys: Vec<[u8; 32]>,
    attach: Option<(RecordId, u64)>,
    /// Length of the body; the rest is auth.
    body_len: usize,
}

impl Desk {
    /// Registers a user with its enrolment code (out of band).
    pub fn register(&mut self, uid: u64, user: User) {
        self.users.insert(uid, user);
    }

    pub fn user(&self, uid: u64) -> Option<&User> {
        self.users.get(&uid)
    }

    /// Pins a gateway that cars may attach to.
    pub fn pin_gateway(&mut self, rid: RecordId) {
        self.gateways.insert(rid);
    }

    /// Marks an X as used (test vectors; [`Desk::remember`] does it in a run).
    pub fn know_key(&mut self, x: [u8; 32]) {
        self.known_keys.insert(x);
    }

    /// Marks body ‖ auth as answered (test vectors; [`Desk::remember`] does it in a run).
    pub fn know_answer(&mut self, inner: Vec<u8>, answer: Arc<[u8]>) {
        self.answered.insert(inner, answer);
    }

    /// The next pseudonym counter of a user.
    pub fn next_counter(&mut self, class: Class, role: Role, uid: u64, from: u32) -> u32 {
        let next = self.counters.entry((class as u8, role as u8, uid, from)).or_insert(0);
        let ctr = *next;
        *next += 1;
        ctr
    }

    /// All checks of §3.6 in their order.
    ///
    /// # Errors
    /// The first failing check; only its existence may reach the requester.
    pub fn check(&self, params: &Params, kgc: &KeyPair, now: u64, wire: &[u8]) -> Result<Granted, Failure> {
        let form = Failure::at(Check::Q1);
        if wire.len() < 52 {
            return Err(form(Error::Length));
        }
        if &wire[..4] != request::WIRE_MAGIC {
            return Err(form(Error::Magic));
        }
        let inner = channel::open_box(params, Purpose::Request, kgc, &wire[4..]).map_err(&form)?;
        let parsed = parse(&inner).map_err(form)?;
        let (body, auth) = inner.split_at(parsed.body_len);
        let m = request::digest(params, body);
        let granted = |stored| Granted {
            head: parsed.head,
            digest: m,
            keys: parsed.keys.clone(),
            attach: parsed.attach,
            stored,
            inner: inner.clone(),
        };
        if parsed.head.kind != 3 {
            for x in &parsed.keys {
                group::dec(x).map_err(Failure::at(Check::Q2))?;
            }
            if let Some(answer) = self.answered.get(&*inner) {
                return Ok(granted(Some(answer.clone())));
            }
            let mut seen = BTreeSet::new();
            if parsed.keys.iter().any(|x| self.known_keys.contains(x) || !seen.insert(*x)) {
                return Err(Failure { check: Check::Q2, error: Error::DuplicateKey });
            }
        }
        if parsed.head.kind == 1 {
            self.check_first(&parsed, auth, &m)?;
        } else {
            self.check_signed(params, &parsed, auth, &m, now)?;
        }
        Ok(granted(None))
    }

    fn check_first(&self, parsed: &Parsed, auth: &[u8], m: &Message) -> Result<(), Failure> {
        let mut reader = Reader(auth);
        let (code, n, z) = (reader.array::<32>(), reader.array::<32>(), reader.array::<32>());
        let (Some(code), Some(n), Some(z)) = (code, n, z) else {
            return Err(Failure { check: Check::Q1, error: Error::Length });
        };
        let user = self.users.get(&parsed.head.uid).filter(|u| u.role == parsed.head.role);
        let unspent = user.and_then(|u| u.code.as_ref()).is_some_and(|known| bool::from(known.ct_eq(&code)));
        if !unspent {
            return Err(Failure { check: Check::Q3, error: Error::Enrolment });
        }
        let proof = Failure::at(Check::Q4);
        let z = group::scal(&z).map_err(&proof)?;
        let x = parsed.keys.first().copied().unwrap_or_default();
        let point = group::dec(&x).map_err(&proof)?;
        let e = request::pop_challenge(&x, &n, m);
        let recomputed = RistrettoPoint::vartime_double_scalar_mul_basepoint(&-e, &point, &z);
        if group::is_neutral(&recomputed) || group::enc(&recomputed) != n {
            Err(proof(Error::Signature))
        } else {
            Ok(())
        }
    }

    fn check_signed(
        &self,
        params: &Params,
        parsed: &Parsed,
        auth: &[u8],
        m: &Message,
        now: u64,
    ) -> Result<(), Failure> {
        let mut reader = Reader(auth);
        let (Some(rec), Some(sig)) = (reader.array().map(Record), reader.array::<64>()) else {
            return Err(Failure { check: Check::Q1, error: Error::Length });
        };
        let rid = rec.rid(params);
        let issued = self.users.get(&parsed.head.uid).is_some_and(|u| u.records.iter().any(|(known, _)| *known == rid));
        if !issued || !rec.is(Class::Id, parsed.head.role) || !rec.valid_at(params.epoch(now)) {
            return Err(Failure { check: Check::Q3, error: Error::RequesterRecord });
        }
        let name = if parsed.head.kind == 2 { Name::KeyRequest } else { Name::Attach };
        schnorr::verify(params, name, &rec, m, &sig).map_err(Failure::at(Check::Q4))?;
        let Some((css, time)) = parsed.attach else { return Ok(()) };
        let refuse = |error| Err(Failure { check: Check::Q5, error });
        let policy = &params.policy;
        if !self.gateways.contains(&css) {
            return refuse(Error::Unpinned);
        }
        if now > time.saturating_add(policy.ttl_max.into()) || time > now.saturating_add(policy.skew.into()) {
            return refuse(Error::Stale);
        }
        let last = self.users.get(&parsed.head.uid).and_then(|u| u.attached);
        if last.is_some_and(|(last, _)| time <= last) { refuse(Error::Replay) } else { Ok(()) }
    }

    /// The proof of who asked for a ticket: the stored request with its signature (§11.4).
    pub fn claim(&self, ticket: &Record) -> Option<Claim> {
        self.answered.keys().find_map(|inner| {
            let parsed = parse(inner).ok().filter(|p| p.head.kind == 2 && p.keys.contains(&ticket.x()))?;
            let (body, auth) = inner.split_at(parsed.body_len);
            let signature = auth.get(size_of::<Record>()..)?.try_into().ok()?;
            Some(Claim { ticket: *ticket, uid: parsed.head.uid, body: body.to_vec(), signature })
        })
    }

    /// Remembers an answer before it leaves (§3.6): spends the code, stores keys, records, attach time and the answer.
    pub fn remember(&mut self, granted: &Granted, records: &[(RecordId, Record)], answer: Arc<[u8]>) {
        let head = &granted.head;
        if let Some(user) = self.users.get_mut(&head.uid) {
            if head.kind == 1 {
                user.code = None;
            }
            if head.class == Class::Id {
                user.records.extend(records.iter().map(|(rid, rec)| (*rid, Some(*rec))));
            }
            if let Some((css, time)) = granted.attach {
                user.attached = Some((time, css));
            }
        }
        self.known_keys.extend(granted.keys.iter().copied());
        if head.kind != 3 {
            self.answered.insert(granted.inner.to_vec(), answer);
        }
    }
}

/// Layout of body and auth, from the magic to the exact length.
fn parse(inner: &[u8]) -> Result<Parsed, Error> {
    let mut reader = Reader(inner);
    if inner.len() < HEAD {
        return Err(Error::Length);
    }
    if reader.bytes(4) != Some(request::BODY_MAGIC) {
        return Err(Error::Magic);
    }
    let kind = reader.u8().filter(|k| (1..=3).contains(k)).ok_or(Error::Kind)?;
    let (class, role) = (reader.u8().and_then(Class::from_code), reader.u8().and_then(Role::from_code));
    if reader.u8() != Some(0) {
        return Err(Error::Flags);
    }
    let uid = reader.u64().ok_or(Error::Length)?;
    let (from, to) = (reader.u32().ok_or(Error::Length)?, reader.u32().ok_or(Error::Length)?);
    let (class, role) = (class.ok_or(Error::RecordFormat)?, role.ok_or(Error::RecordFormat)?);
    format_rule(class, role, from, to)?;
    if role == Role::Kgc || (kind != 2 && class != Class::Id) || (kind == 3 && role != Role::Ev) {
        return Err(Error::RecordFormat);
    }
    let count = reader.u32().ok_or(Error::Length)?;
    let fits = match kind {
        1 => count == 1,
        2 => (1..=MAX_KEYS).contains(&count),
        _ => count == 0,
    };
    if !fits {
        return Err(Error::Count);
    }
    let body_len = if kind == 3 { HEAD + 40 } else { HEAD + 32 * count as usize };
    let auth_len = if kind == 1 { 96 } else { size_of::<Record>() + size_of::<Signature>() };
    if inner.len() != body_len + auth_len {
        return Err(Error::Length);
    }
    let keys = (0..count).map_while(|_| reader.array()).collect();
    let attach = (kind == 3).then(|| Some((RecordId(reader.array()?), reader.u64()?))).flatten();
    Ok(Parsed { head: Head { kind, class, role, uid, from, to }, keys, attach, body_len })
}
