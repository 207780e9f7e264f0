//! Requests to the KGC and their answers, from the user's side (CLMMSC.md §3.6).
//!
//! Wire: `"CLQ1" ‖ Box("request", KGC, body ‖ auth)`; answer: `"CLA1" ‖ enc(E') ‖ AEAD(records and partial keys)`. Every
//! refusal looks the same to the requester: `"CLA0"`.

use super::aead;
use super::channel::{self, Purpose};
use super::check::{Check, Failure};
use super::error::Error;
use super::group;
use super::hash::{h64, hs, label};
use super::keys::{KeyPair, UserSecret, Wanted};
use super::params::Params;
use super::reader::Reader;
use super::record::{Class, PublicRecord, RECORD_LEN, Record, RecordId, Role};
use super::schnorr::{self, Message, Name};
use super::secret::Secret;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use zeroize::Zeroizing;

/// First bytes of a request on the wire.
pub const WIRE_MAGIC: &[u8; 4] = b"CLQ1";
/// First bytes inside the box.
pub const BODY_MAGIC: &[u8; 4] = b"CLR1";
/// Accepted: alone for an attach, else followed by the sealed records.
pub const ACCEPTED: &[u8; 4] = b"CLA1";
/// Every refusal, whatever its cause.
pub const REFUSED: &[u8; 4] = b"CLA0";
/// Most keys in one request.
pub const MAX_KEYS: u32 = 4096;
/// Length of the fixed part of a body.
pub const HEAD: usize = 28;

/// What is asked, by whom, for when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// 1 first, 2 further, 3 attach.
    pub kind: u8,
    pub class: Class,
    pub role: Role,
    pub uid: u64,
    pub from: u32,
    pub to: u32,
}

impl Head {
    /// The request's body with these public halves.
    pub(crate) fn body(&self, keys: &[[u8; 32]]) -> Vec<u8> {
        let mut out = BODY_MAGIC.to_vec();
        out.extend([self.kind, self.class as u8, self.role as u8, 0]);
        out.extend(self.uid.to_le_bytes());
        out.extend(self.from.to_le_bytes());
        out.extend(self.to.to_le_bytes());
        out.extend((keys.len() as u32).to_le_bytes());
        keys.iter().for_each(|x| out.extend(x));
        out
    }
}

/// Reads the body of a further request (kind 2): what was asked, and the public halves. `None` for anything else.
pub fn read_further(body: &[u8]) -> Option<(Head, Vec<[u8; 32]>)> {
    let mut r = Reader(body);
    if r.bytes(4)? != BODY_MAGIC || r.u8()? != 2 {
        return None;
    }
    let (class, role, zero) = (Class::from_code(r.u8()?)?, Role::from_code(r.u8()?)?, r.u8()?);
    let (uid, from, to, count) = (r.u64()?, r.u32()?, r.u32()?, r.u32()?);
    if zero != 0 || !(1..=MAX_KEYS).contains(&count) || body.len() != HEAD + 32 * count as usize {
        return None;
    }
    let keys = (0..count).map_while(|_| r.array()).collect();
    Some((Head { kind: 2, class, role, uid, from, to }, keys))
}

/// M = H64("regm"; params_id, body).
pub fn digest(params: &Params, body: &[u8]) -> Message {
    h64(label::REGM, &[&params.id, body])
}

/// A request ready to be sent, with the digest that its answer is sealed to.
#[derive(Clone, Debug)]
pub struct Request {
    pub wire: Vec<u8>,
    pub digest: Message,
}

/// The two random values of a request.
#[derive(Clone, Copy)]
pub struct Randomness {
    /// For the proof of possession or the signature.
    pub sign: [u8; 32],
    /// For the box.
    pub seal: [u8; 32],
}

pub(super) fn pop_challenge(x: &[u8; 32], n: &[u8; 32], m: &Message) -> Scalar {
    hs(label::POP, &[x, n, m])
}

fn finish(
    params: &Params,
    kgc: &PublicRecord,
    m: Message,
    inner: &[u8],
    secret: &[u8; 32],
    rand: &[u8; 32],
) -> Request {
    let mut wire = WIRE_MAGIC.to_vec();
    wire.extend(channel::seal_box(params, Purpose::Request, kgc, inner, secret, rand));
    Request { wire, digest: m }
}

/// First request (kind 1, §3.6) with the enrolment code and a proof that the sender knows x_1: z·P = N + e·X_1; 208
/// bytes. Cost: 2 F + V.
pub fn first(
    params: &Params,
    kgc: &PublicRecord,
    head: &Head,
    user: &UserSecret,
    code: &[u8; 32],
    rand: &Randomness,
) -> Request {
    let body = head.body(&[user.public()]);
    let m = digest(params, &body);
    let nk = user.first_nonce_key();
    let nonce = Zeroizing::new(hs(label::NONCE, &[&*nk, b"pop", &params.id, &m, &rand.sign]));
    let n = group::enc(&RistrettoPoint::mul_base(&nonce));
    let z = *nonce + pop_challenge(&user.public(), &n, &m) * user.scalar();
    let inner = Secret::from([&body, &code[..], &n, z.as_bytes()].concat());
    finish(params, kgc, m, &inner, &nk, &rand.seal)
}

/// Further request (kind 2, §3.6), signed under the requester's ID record; 250 + 32·count bytes.
pub fn further(
    params: &Params,
    kgc: &PublicRecord,
    head: &Head,
    users: &[UserSecret],
    signer: &KeyPair,
    rand: &Randomness,
) -> Request {
    let keys: Vec<[u8; 32]> = users.iter().map(UserSecret::public).collect();
    signed(params, kgc, head.body(&keys), Name::KeyRequest, signer, rand)
}

/// Attach (kind 3, §3.6): tells the KGC behind which gateway the car is now; `time` in unix seconds.
pub fn attach(
    params: &Params,
    kgc: &PublicRecord,
    head: &Head,
    css: &RecordId,
    time: u64,
    signer: &KeyPair,
    rand: &Randomness,
) -> Request {
    let mut body = head.body(&[]);
    body.extend(css.0);
    body.extend(time.to_le_bytes());
    signed(params, kgc, body, Name::Attach, signer, rand)
}

fn signed(
    params: &Params,
    kgc: &PublicRecord,
    body: Vec<u8>,
    name: Name,
    signer: &KeyPair,
    rand: &Randomness,
) -> Request {
    let m = digest(params, &body);
    let mut inner = body;
    inner.extend(signer.record().0);
    inner.extend(schnorr::sign(name, signer, &m, &rand.sign));
    finish(params, kgc, m, &inner, signer.nonce_key(), &rand.seal)
}

/// Opens an answer and accepts every key in it (§3.6). Cost: D + V + C, and D + 2 F + M1 for each key.
///
/// # Errors
/// In this order: [`Error::Length`], [`Error::Magic`], [`Error::PointEncoding`], [`Error::SealAuth`] (check Q1), then the
/// first failure of [`KeyPair::accept`] (A1 for [`Error::RecordMismatch`], else A2).
pub fn accept_answer(
    params: &Params,
    want: &Wanted,
    users: &[UserSecret],
    m: &Message,
    wire: &[u8],
) -> Result<Vec<KeyPair>, Failure> {
    let form = Failure::at(Check::Q1);
    let per_key = RECORD_LEN + 32;
    if users.is_empty() || wire.len() != 4 + 32 + aead::OVERHEAD + per_key * users.len() {
        return Err(form(Error::Length));
    }
    if &wire[..4] != ACCEPTED {
        return Err(form(Error::Magic));
    }
    let plain = channel::open_answer(params, m, &users[0], &wire[4..]).map_err(form)?;
    let mut reader = Reader(&plain);
    users
        .iter()
        .map(|user| {
            let rec = reader.array().map(Record).ok_or_else(|| Failure::at(Check::Q1)(Error::Length))?;
            let d = Secret::from(reader.array().ok_or_else(|| Failure::at(Check::Q1)(Error::Length))?);
            KeyPair::accept(params, want, user, &rec, &d).map_err(|error| Failure {
                check: if error == Error::RecordMismatch { Check::A1 } else { Check::A2 },
                error,
            })
        })
        .collect()
}
