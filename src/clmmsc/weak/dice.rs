//! Owners of keys who trust their random generator alone: what the scheme derives from secrets, context and `rand32`
//! together is here taken from `rand32`, or from less than all of the context (controls of A23, A24, A37, A42, A43).

use crate::clmmsc::channel::seal_answer_under;
use crate::clmmsc::hash::{hs, label};
use crate::clmmsc::keys::{IssuedItem, KeyPair};
use crate::clmmsc::kgc::{Issue, MasterKey};
use crate::clmmsc::pseudonym::Identity;
use crate::clmmsc::request::ACCEPTED;
use crate::clmmsc::schnorr::{self, Message, Name, Signature};
use crate::clmmsc::{Error, Params, RecordId};
use curve25519_dalek::scalar::Scalar;

/// A signature with the nonce HS("nonce"; rand32): neither key nor message are in it.
pub(crate) fn sign(name: Name, key: &KeyPair, m: &Message, rand32: &[u8; 32]) -> Signature {
    schnorr::respond(name, &key.public().rid, key.sk(), &hs(label::NONCE, &[rand32]), m)
}

/// How both signatures of a σ are made, as [`sign`]: with the nonce HS("nonce"; rand32).
pub(crate) fn nonces_from(
    rand32: &[u8; 32],
) -> impl Fn(Name, &RecordId, &Scalar, &[u8; 32], &Message, &[u8; 32]) -> Signature {
    let nonce = hs(label::NONCE, &[rand32]);
    move |name, rid, sk, _, m, _| schnorr::respond(name, rid, sk, &nonce, m)
}

/// As it should be, but the inner nonce is drawn afresh from `again` when a σ is made a second time.
pub(crate) fn inner_nonce_from(
    again: &[u8; 32],
) -> impl Fn(Name, &RecordId, &Scalar, &[u8; 32], &Message, &[u8; 32]) -> Signature {
    move |name, rid, sk, nk, m, hedge| {
        schnorr::sign_with(name, rid, sk, nk, m, if name == Name::Inner { again } else { hedge })
    }
}

/// Issues with r = HS("kgc-r"; kf, s, class and role, f, X, rand32): network and validity are not in it.
///
/// # Errors
/// [`Error::ScalarEncoding`] for s.
pub(crate) fn issue(
    params: &Params,
    (s, kf): (&[u8; 32], &[u8; 32]),
    what: &Issue,
    x: &[u8; 32],
    rand32: &[u8; 32],
) -> Result<IssuedItem, Error> {
    let master = MasterKey::from_scalar(s, *kf)?;
    let identity = Identity { uid: what.uid, valid_from: what.from, ctr: what.ctr };
    let f = master.pseudonym(what.class, what.role, &identity);
    let kind = [what.class as u8, what.role as u8];
    let r = hs(label::KGC_R, &[kf, s, &kind, &f, x, rand32]);
    Ok(master.issue_under(params, what, &f, x, &r))
}

/// Seals an answer with ε' = HS("seal-e"; kf, M, rand32): the answer itself is not in it.
///
/// # Errors
/// [`Error::PointEncoding`] for X_1.
pub(crate) fn seal_answer(
    params: &Params,
    kf: &[u8; 32],
    m: &Message,
    x1: &[u8; 32],
    plain: &[u8],
    rand32: &[u8; 32],
) -> Result<Vec<u8>, Error> {
    let eps = hs(label::SEAL_E, &[kf, m, rand32]);
    Ok([ACCEPTED.to_vec(), seal_answer_under(params, m, x1, plain, &eps)?].concat())
}

/// kses = rand32: neither the car's secret nor the plug's challenge are in it.
pub(crate) fn session_key(rand32: &[u8; 32]) -> [u8; 32] {
    *rand32
}
