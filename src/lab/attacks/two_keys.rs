//! Two keys, one entry: a sealed text that opens under two keys (A25; CLMMSC.md §2.3).
//!
//! ChaCha20-Poly1305 does not commit to its key. Poly1305 is a polynomial in r over the integers mod p = 2^130 − 5, so one
//! free block of ciphertext is the solution of one linear equation under which both tags agree
//! (Len, Grubbs, Ristenpart 2021).

use super::post::read;
use super::trial::{Stuck, Trial};
use super::{Attack, People};
use crate::clmmsc::open::{EntryKey, decapsulate};
use crate::clmmsc::schnorr::Name;
use crate::clmmsc::signcrypt::entry_keys;
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::weak::opening::{self, BITS};
use crate::clmmsc::wire::{PLAIN_EXTRA, TAG};
use crate::clmmsc::{Check, Class, Error, Flow, Role, aead, group};
use crate::lab::forge::{Draft, Hand, plain};
use crate::lab::people::scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

pub(super) const ATTACKS: [Attack; 1] = [Attack {
    id: 25,
    title: "One entry, two keys",
    role: "A company that seals a command which its accomplice can later show to be something else.",
    moves: &[
        "seal the car's entry so that it authenticates under the car's key and under a second one",
        "dispute: show the second key",
        "search a second key that has the first 16 bits of the entry's tag, as if tags were that short, and show that",
    ],
    expected: "R4 NotAReceiver: a tag belongs to one key; R6 PseudonymMismatch even where the tag fits",
    control: "the bare AEAD behind a tag of 16 bits: both keys open the entry",
    run: a25,
}];

/// An integer below 2^131 as limbs of 64 bits; results are below p.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Field([u64; 3]);

/// p = 2^130 − 5.
const P: [u64; 3] = [u64::MAX - 4, u64::MAX, 3];

impl Field {
    /// Of 17 bytes, little-endian, below 2^130.
    fn new(bytes: [u8; 17]) -> Field {
        let limb = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes.get(at + i).copied().unwrap_or(0)));
        Field([limb(0), limb(8), limb(16)]).reduced()
    }

    fn low(value: u128) -> Field {
        Field([value as u64, (value >> 64) as u64, 0])
    }

    /// Minus p if it is not below p.
    fn reduced(self) -> Field {
        let (mut out, mut borrow) = ([0; 3], false);
        for (out, (a, p)) in out.iter_mut().zip(self.0.iter().zip(P)) {
            let (first, under) = a.overflowing_sub(p);
            let (second, again) = first.overflowing_sub(u64::from(borrow));
            (*out, borrow) = (second, under || again);
        }
        if borrow { self } else { Field(out) }
    }

    fn plus(self, other: Field) -> Field {
        let (mut out, mut carry) = ([0; 3], 0);
        for (out, (a, b)) in out.iter_mut().zip(self.0.iter().zip(other.0)) {
            let sum = u128::from(*a) + u128::from(b) + carry;
            (*out, carry) = (sum as u64, sum >> 64);
        }
        Field(out).reduced()
    }

    fn bits(self) -> impl Iterator<Item = bool> {
        (0..131).rev().map(move |i| self.0[i / 64] >> (i % 64) & 1 == 1)
    }

    fn times(self, other: Field) -> Field {
        let zero = Field([0; 3]);
        other.bits().fold(zero, |sum, bit| sum.plus(sum).plus(if bit { self } else { zero }))
    }

    fn minus(self, other: Field) -> Field {
        self.plus(Field([P[0] - 1, P[1], P[2]]).times(other))
    }

    /// self^(p − 2).
    fn inverse(self) -> Field {
        let exponent = Field([P[0] - 2, P[1], P[2]]);
        exponent.bits().fold(Field::low(1), |x, bit| if bit { x.times(x).times(self) } else { x.times(x) })
    }
}

/// Key stream of ChaCha20 with a zero nonce: block 0 holds r and s of Poly1305, the text begins with block 1.
struct Stream {
    r: Field,
    s: u128,
    text: Vec<u8>,
}

impl Stream {
    fn new(key: &[u8; 32], len: usize) -> Stream {
        let mut bytes = vec![0; 64 + len];
        ChaCha20Rng::from_seed(*key).fill_bytes(&mut bytes);
        let half = |at: usize| u128::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let r = half(0) & 0x0fff_fffc_0fff_fffc_0fff_fffc_0fff_ffff;
        Stream { r: Field::low(r), s: half(16), text: bytes[64..].to_vec() }
    }

    /// Σ c_i·r^(m − i) over the blocks of a ciphertext and the block of lengths, without s.
    fn polynomial(&self, cipher: &[u8]) -> Field {
        let lengths = [[0; 8], (cipher.len() as u64).to_le_bytes()].concat();
        let blocks = cipher.chunks(16).chain([&lengths[..]]);
        blocks.fold(Field::low(0), |sum, block| {
            let mut padded = [0; 17];
            padded[..block.len()].copy_from_slice(block);
            padded[16] = 1;
            sum.plus(Field::new(padded)).times(self.r)
        })
    }
}

/// The sealed text that says `plain` under the first key, but for its first 16 bytes, and something under the second.
/// `None` where the solution is no block of 16 bytes, which is so three times of four.
fn sealed_for_both(first: &[u8; 32], second: &[u8; 32], plain: &[u8]) -> Option<Vec<u8>> {
    let (a, b) = (Stream::new(first, plain.len()), Stream::new(second, plain.len()));
    let mut cipher: Vec<u8> = plain.iter().zip(&a.text).map(|(p, k)| p ^ k).collect();
    cipher[..16].fill(0);
    // With the first block zero the two sums lack x·r^m on each side: x·(r^m − r'^m) = (S' + s') − (S + s).
    let power = |r: Field| (0..cipher.len().div_ceil(16) + 1).fold(Field::low(1), |x, _| x.times(r));
    let (left, right) = (a.polynomial(&cipher).plus(Field::low(a.s)), b.polynomial(&cipher).plus(Field::low(b.s)));
    let x = right.minus(left).times(power(a.r).minus(power(b.r)).inverse());
    if x.0[2] != 0 {
        return None;
    }
    let block = u128::from(x.0[0]) | u128::from(x.0[1]) << 64;
    cipher[..16].copy_from_slice(&block.to_le_bytes());
    let sum = a.polynomial(&cipher);
    let low = u128::from(sum.0[0]) | u128::from(sum.0[1]) << 64;
    cipher.extend(low.wrapping_add(a.s).to_le_bytes());
    let both = [first, second].iter().all(|key| aead::open(key, &cipher).is_some());
    both.then_some(cipher)
}

/// A key whose tag begins as this one does.
fn colliding(people: &mut People, tag: &[u8; TAG]) -> [u8; 32] {
    loop {
        let key: [u8; 32] = people.bytes();
        if entry_keys(&key).0[..BITS / 8] == tag[..BITS / 8] {
            return key;
        }
    }
}

/// The ciphertext with the doubly sealed entry, and the second key. `short`: its tag begins as the entry's.
fn doubly_sealed(people: &mut People, short: bool) -> Result<(VerifiedSigma, EntryKey), Stuck> {
    let name = people.ticket(Role::Csc)?;
    let ticket = Hand::of(people.pair(&name)?);
    let sender = Hand::of(people.pair("csc")?);
    let to = people.pair("ev0")?.public().clone();
    let t = group::scal(&scalar(&mut people.rng))?;
    let draft = Draft::new(&people.params, Flow::COMMAND, (1, 64), t, &ticket.record);
    let (tag, first) = entry_keys(&draft.k(&to));
    let second: [u8; 32] = if short { colliding(people, &tag) } else { people.bytes() };
    let other = entry_keys(&second).1;
    // kS is what the equation makes it; the number in the message is there to be tried again.
    let mut tries = 0..64u32;
    let (ks, entry) = tries
        .find_map(|number| {
            let text = plain(&[0; 16], &to.record.f(), format!("7 kW #{number}").as_bytes(), 64);
            let sealed = sealed_for_both(&first, &other, &text)?;
            let ks: [u8; 16] = *aead::open(&first, &sealed)?.first_chunk()?;
            Some((ks, [&tag[..], &sealed].concat()))
        })
        .ok_or("no block solves the equation")?;
    let root = draft.root(std::slice::from_ref(&entry))?;
    let rand = people.bytes();
    let alpha = people.sign(Name::Inner, &sender, &draft.inner(&root), &rand);
    let capsule = draft.capsule(&ks, &sender.record, &alpha);
    let outer = draft.outer(&ticket);
    let bytes = draft.finish(people, &outer, (root, &capsule), &[entry], &rand);
    Ok((people.gateway(&bytes)?, EntryKey::from_bytes(second)))
}

fn a25(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    people.person("csc", Class::Id, Role::Csc)?;
    people.person("ev0", Class::Id, Role::Ev)?;
    let record = people.record("ev0")?;
    let (sigma, second) = doubly_sealed(people, false)?;
    let own = decapsulate(sigma.head(), people.pair("ev0")?);
    let opened = read(&people.params, &sigma, &record, &own)?;
    let seen = format!("read `{}`, from the company", String::from_utf8_lossy(&opened.message));
    trial.holds("the car's own key, for comparison", opened.message.starts_with(b"7 kW"), seen);
    let outcome = read(&people.params, &sigma, &record, &second);
    trial.refused("the second key", Check::R4, Error::NotAReceiver, outcome);

    let (sigma, second) = doubly_sealed(people, true)?;
    let own = decapsulate(sigma.head(), people.pair("ev0")?);
    let outcome = read(&people.params, &sigma, &record, &second);
    trial.refused("a second key with the first 16 bits of the tag", Check::R4, Error::NotAReceiver, outcome);
    let outcome = opening::by_short_tag(&sigma, &record, &second);
    let tried = "the same where tags have no more than 16 bits";
    trial.refused(tried, Check::R6, Error::PseudonymMismatch, outcome);

    let both = [&own, &second].map(|k| opening::bare(&sigma, k));
    let seen = match &both {
        [Ok(one), Ok(two)] => format!(
            "one entry says `{}` and {}…",
            String::from_utf8_lossy(&one[PLAIN_EXTRA..]).trim_end_matches('\0'),
            crate::sim::inspect::hex(&two[PLAIN_EXTRA..][..8])
        ),
        _ => "refused".to_string(),
    };
    let two = matches!(&both, [Ok(one), Ok(two)] if one != two);
    trial.breaks("show both keys of the bare entry", two, seen);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_that_of_poly1305() {
        let (a, b) = (Field::low(u128::MAX), Field::low(12_345));
        assert_eq!(a.times(a.inverse()), Field::low(1));
        assert_eq!(a.plus(b).minus(b), a);
        assert_eq!(Field(P).reduced(), Field::low(0));
        // Section 2.5.2 of RFC 8439 by way of the library: the tag of a sealed text is the polynomial plus s.
        let key = [7; 32];
        let sealed = aead::seal(&key, &[1; 40]);
        let stream = Stream::new(&key, 40);
        let sum = stream.polynomial(&sealed[..40]);
        let low = u128::from(sum.0[0]) | u128::from(sum.0[1]) << 64;
        assert_eq!(sealed[40..], low.wrapping_add(stream.s).to_le_bytes());
    }
}
