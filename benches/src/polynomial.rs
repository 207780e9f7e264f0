//! A baseline, not part of the scheme: multi-receiver signcryption with a polynomial, in the straightforward form of the
//! papers by Pang and others (PLoS ONE 2013 and 2016, and the certificateless multi-message family that followed;
//! CLMMSC.md §15, §20), written here from their description for ristretto255.
//!
//! The sender hides a common secret θ in f(x) = Π (x − ρ_i) + θ, where ρ_i is known to receiver i alone, and sends the n
//! coefficients. A receiver evaluates f(ρ_i) = θ and opens its own message with a key of θ and ρ_i. As in that family
//! the sender computes two multiplications per receiver (h_i·Ppub, then t·PK_i) and expands the product in n²/2 field
//! multiplications; decoding of the receivers' points is left out of the time, which favours the baseline.
//!
//! Multiplications are in constant time, as in the scheme. It must never be used for anything but timing.

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use std::cell::Cell;
use voltcast::clmmsc::aead;
use voltcast::clmmsc::hash::h64_any;

const MESSAGE: [u8; 64] = crate::world::MESSAGE;
const F: usize = 32;

/// A receiver as its KGC and the sender see it, PK = X + R + h·Ppub.
struct Member {
    f: [u8; F],
    x: RistrettoPoint,
    r: RistrettoPoint,
    h: Scalar,
}

/// The parties of one broadcast.
pub struct Group {
    ppub: RistrettoPoint,
    sender: Scalar,
    members: Vec<Member>,
    /// x + d of the last member.
    key: Scalar,
    made: Cell<u64>,
}

/// One broadcast.
pub struct Broadcast {
    t: RistrettoPoint,
    /// Of f without the leading one, constant term first.
    coefficients: Vec<Scalar>,
    /// Tag and sealed f ‖ m of each receiver.
    entries: Vec<([u8; 16], Vec<u8>)>,
    commitment: RistrettoPoint,
    response: Scalar,
}

impl Group {
    /// A group of n receivers.
    pub fn new(n: usize) -> Group {
        let secret = |name, i: usize| scalar(name, &[&i.to_le_bytes()]);
        let s = secret("baseline-s", 0);
        let member = |i: usize| {
            let (x, r) = (secret("baseline-x", i), secret("baseline-r", i));
            let (x_point, r_point) = (RistrettoPoint::mul_base(&x), RistrettoPoint::mul_base(&r));
            let f = first::<F>(&h64_any("baseline-f", &[&i.to_le_bytes()]));
            let h = scalar("baseline-h", &[&f, x_point.compress().as_bytes(), r_point.compress().as_bytes()]);
            (Member { f, x: x_point, r: r_point, h }, x + r + h * s)
        };
        let (members, keys): (Vec<Member>, Vec<Scalar>) = (0..n).map(member).unzip();
        let key = keys.last().copied().unwrap_or_default();
        let ppub = RistrettoPoint::mul_base(&s);
        Group { ppub, sender: secret("baseline-sender", 0), members, key, made: Cell::new(0) }
    }

    /// Signcrypts one message for each member.
    pub fn send(&self) -> Broadcast {
        self.made.set(self.made.get() + 1);
        let random = |name| scalar(name, &[self.sender.as_bytes(), &self.made.get().to_le_bytes()]);
        let (t, theta, nonce) = (random("baseline-t"), random("baseline-theta"), random("baseline-nonce"));
        let root = |member: &Member| root(&(t * (member.x + member.r + member.h * self.ppub)));
        let roots: Vec<Scalar> = self.members.iter().map(root).collect();
        let mut coefficients = expand(&roots);
        if let Some(constant) = coefficients.first_mut() {
            *constant += theta;
        }
        let entry = |(member, root): (&Member, &Scalar)| {
            let (tag, key) = keys(&theta, root);
            (tag, aead::seal(&key, &[&member.f[..], &MESSAGE].concat()))
        };
        let entries = self.members.iter().zip(&roots).map(entry).collect();
        let mut made = Broadcast {
            t: RistrettoPoint::mul_base(&t),
            coefficients,
            entries,
            commitment: RistrettoPoint::mul_base(&nonce),
            response: nonce,
        };
        made.response += made.challenge() * self.sender;
        made
    }

    /// Verifies and opens at the last member: true if its f and its message came out.
    pub fn receive(&self, broadcast: &Broadcast) -> bool {
        let public = RistrettoPoint::mul_base(&self.sender);
        let e = broadcast.challenge();
        let signed = RistrettoPoint::vartime_double_scalar_mul_basepoint(&-e, &public, &broadcast.response);
        let root = root(&(self.key * broadcast.t));
        let theta = broadcast.coefficients.iter().rev().fold(Scalar::ONE, |sum, c| sum * root + c);
        let (tag, key) = keys(&theta, &root);
        let entry = broadcast.entries.iter().find(|(own, _)| *own == tag);
        let opened = entry.and_then(|(_, sealed)| aead::open(&key, sealed));
        let good = |plain: &[u8]| self.members.last().is_some_and(|own| plain[..F] == own.f && plain[F..] == MESSAGE);
        signed == broadcast.commitment && opened.is_some_and(|plain| good(&plain))
    }
}

impl Broadcast {
    /// Over everything that is sent.
    fn challenge(&self) -> Scalar {
        let (t, n) = (self.t.compress(), self.commitment.compress());
        let mut parts: Vec<&[u8]> = vec![t.as_bytes(), n.as_bytes()];
        parts.extend(self.coefficients.iter().map(|c| &c.as_bytes()[..]));
        parts.extend(self.entries.iter().flat_map(|(tag, sealed)| [&tag[..], sealed]));
        scalar("baseline-e", &parts)
    }
}

/// Coefficients of Π (x − root) without the leading one, constant term first.
fn expand(roots: &[Scalar]) -> Vec<Scalar> {
    let mut product = Vec::with_capacity(roots.len() + 1);
    product.push(Scalar::ONE);
    for root in roots {
        product.insert(0, Scalar::ZERO);
        for i in 0..product.len() - 1 {
            let higher = product[i + 1];
            product[i] -= root * higher;
        }
    }
    product.pop();
    product
}

fn root(z: &RistrettoPoint) -> Scalar {
    scalar("baseline-root", &[z.compress().as_bytes()])
}

fn keys(theta: &Scalar, root: &Scalar) -> ([u8; 16], [u8; 32]) {
    let both = h64_any("baseline-k", &[theta.as_bytes(), root.as_bytes()]);
    let mut key = [0; 32];
    key.copy_from_slice(&both[16..48]);
    (first(&both), key)
}

fn scalar(label: &'static str, parts: &[&[u8]]) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&h64_any(label, parts))
}

fn first<const N: usize>(bytes: &[u8; 64]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[..N]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_vanishes_at_its_roots_and_nowhere_else() {
        let roots: Vec<Scalar> = (3..10u64).map(Scalar::from).collect();
        let coefficients = expand(&roots);
        let at = |x: Scalar| coefficients.iter().rev().fold(Scalar::ONE, |sum, c| sum * x + c);
        assert!(roots.iter().all(|root| at(*root) == Scalar::ZERO));
        assert_ne!(at(Scalar::from(2u64)), Scalar::ZERO);
    }

    #[test]
    fn a_changed_broadcast_is_refused() {
        let group = Group::new(4);
        let mut sent = group.send();
        assert!(group.receive(&sent));
        sent.coefficients[1] += Scalar::ONE;
        assert!(!group.receive(&sent));
    }
}
