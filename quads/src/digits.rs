//! A secret scalar as digits that are never zero: u = Σ s_i·2^i with every s_i = ±1 (Hedabou, Pinel, Bénéteau 2005).

use crate::lanes::Quad;
use zeroize::Zeroize;

/// The group order q, in 64-bit words.
const ORDER: [u64; 4] = [0x5812_631a_5cf5_d3ed, 0x14de_f9de_a2f7_9cd6, 0, 0x1000_0000_0000_0000];

/// The signs of an odd scalar: bit i is set where s_i = +1.
pub struct Signs([u64; 5]);

impl Drop for Signs {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A secret place in a table and a secret sign.
pub struct Digit {
    pub index: u32,
    /// All ones for minus.
    pub negative: Quad,
}

impl Signs {
    /// Signs of `scalar` < q, made odd by adding q if it is even; `count` of them, 255 < count <= 320.
    pub fn of(scalar: &[u8; 32], count: usize) -> Signs {
        let mut words = [0; 5];
        for (i, byte) in scalar.iter().enumerate() {
            words[i / 8] |= u64::from(*byte) << (8 * (i % 8));
        }
        let even = (words[0] & 1).wrapping_sub(1);
        let mut carry = 0u128;
        for (word, order) in words.iter_mut().zip(ORDER) {
            let sum = u128::from(*word) + u128::from(order & even) + carry;
            (*word, carry) = (sum as u64, sum >> 64);
        }
        // For odd u: s_i = +1 where bit i + 1 is set, and the topmost sign is +1.
        for i in 0..4 {
            words[i] = words[i] >> 1 | words[i + 1] << 63;
        }
        words[(count - 1) / 64] |= 1 << ((count - 1) % 64);
        Signs(words)
    }

    fn bit(&self, i: usize) -> u32 {
        (self.0[i / 64] >> (i % 64)) as u32 & 1
    }

    /// The digit Σ s_{at + k·step}·2^k for k < width: its place among the positive ones, and its sign.
    pub fn digit(&self, at: usize, step: usize, width: usize) -> Digit {
        let low = (0..width - 1).fold(0, |bits, k| bits | self.bit(at + k * step) << k);
        let negative = self.bit(at + (width - 1) * step).wrapping_sub(1);
        Digit { index: low ^ (negative & ((1 << (width - 1)) - 1)), negative: Quad::splat(negative) }
    }
}

/// All ones if a = b, for a, b < 2^31.
pub fn equal(a: u32, b: u32) -> u32 {
    ((a ^ b).wrapping_sub(1) >> 31).wrapping_neg()
}
