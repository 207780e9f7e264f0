//! Four elements of GF(2^255 - 19) side by side: ten limbs of alternately 26 and 25 bits, as in RFC 7748's 32-bit
//! implementations.
//!
//! An element is *tight* if each limb exceeds its 26 or 25 bits by less than one part in 200; products, squares and
//! carried elements are. Sums and differences are not carried: with excess `b` (limbs below 2^(26+b), 2^(25+b)), a sum of
//! two tight elements has b = 1 and a difference b < 1.6. A product takes b + b' < 5 with b' < 1.75 in its second factor,
//! a square b < 1.75.

use crate::lanes::{Quad, Wide};
use core::array::from_fn;

#[derive(Clone, Copy)]
pub struct Field(pub [Quad; 10]);

/// One element, as limbs.
pub type Limbs = [u32; 10];

pub const ZERO: Limbs = [0; 10];
pub const ONE: Limbs = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// d = -121665/121666 of the curve.
pub const D: Limbs = [56195235, 13857412, 51736253, 6949390, 114729, 24766616, 60832955, 30306712, 48412415, 21499315];
/// 2d.
pub const D2: Limbs = [45281625, 27714825, 36363642, 13898781, 229458, 15978800, 54557047, 27058993, 29715967, 9444199];
/// A square root of -1.
pub const SQRT_M1: Limbs =
    [34513072, 25610706, 9377949, 3500415, 12389472, 33281959, 41962654, 31548777, 326685, 11406482];
/// 1/sqrt(a - d), a = -1.
pub const INVSQRT_A_MINUS_D: Limbs =
    [6111466, 4156064, 39310137, 12243467, 41204824, 120896, 20826367, 26493656, 6093567, 31568420];

const fn bits(limb: usize) -> u32 {
    26 - (limb % 2) as u32
}

/// Limb `i` of 2p.
const fn twice_p(i: usize) -> u32 {
    if i == 0 { (1 << 27) - 38 } else { (2 << bits(i)) - 2 }
}

macro_rules! sum {
    ($a:expr, $b:expr $(; $x:expr, $y:expr)*) => { $a.wide($b)$(.plus($x.wide($y)))* };
}

impl Field {
    #[inline(always)]
    pub fn splat(limbs: &Limbs) -> Field {
        Field(from_fn(|i| Quad::splat(limbs[i])))
    }

    /// Four elements.
    pub fn join(lanes: [&[u32]; 4]) -> Field {
        Field(from_fn(|i| Quad::new(from_fn(|lane| lanes[lane][i]))))
    }

    /// The element of one lane.
    pub fn lane(&self, lane: usize) -> Limbs {
        from_fn(|i| self.0[i].lanes()[lane])
    }

    /// Not carried.
    #[inline(always)]
    pub fn plus(&self, y: &Field) -> Field {
        Field(from_fn(|i| self.0[i].plus(y.0[i])))
    }

    /// Not carried; `y` is tight.
    #[inline(always)]
    pub fn minus(&self, y: &Field) -> Field {
        Field(from_fn(|i| self.0[i].plus(Quad::splat(twice_p(i))).minus(y.0[i])))
    }

    /// Carried; `y` has b <= 1.
    #[inline(always)]
    pub fn minus_sum(&self, y: &Field) -> Field {
        Field(from_fn(|i| self.0[i].plus(Quad::splat(2 * twice_p(i))).minus(y.0[i]))).carried()
    }

    /// -x, not carried; x is tight.
    #[inline(always)]
    pub fn negated(&self) -> Field {
        Field::splat(&ZERO).minus(self)
    }

    /// Makes an element with b < 4 tight.
    #[inline(always)]
    pub fn carried(&self) -> Field {
        let x = &self.0;
        Field(from_fn(|i| {
            let low = x[i].and(Quad::splat((1 << bits(i)) - 1));
            if i == 0 { low.plus(x[9].shr(25).times(19)) } else { low.plus(x[i - 1].shr(bits(i - 1))) }
        }))
    }

    /// `y` in the lanes where `mask` is all ones, `x` where it is zero.
    #[inline(always)]
    pub fn select(mask: Quad, x: &Field, y: &Field) -> Field {
        Field(from_fn(|i| x.0[i].xor(mask.and(x.0[i].xor(y.0[i])))))
    }

    /// One carry chain over sums of products, in two halves that do not wait for each other.
    #[inline(always)]
    fn reduce(mut z: [Wide; 10]) -> Field {
        for i in [0, 4, 1, 5, 2, 6, 3, 7, 4, 8, 9, 0] {
            let high = z[i].shr(bits(i));
            z[i] = z[i].low(bits(i));
            let next = (i + 1) % 10;
            z[next] = z[next].plus(if i == 9 { high.times19() } else { high });
        }
        Field(from_fn(|i| z[i].narrow()))
    }

    #[inline(never)]
    #[rustfmt::skip]
    pub fn times(&self, y: &Field) -> Field {
        let (x, y) = (&self.0, &y.0);
        let (x1d, x3d, x5d, x7d, x9d) =
            (x[1].plus(x[1]), x[3].plus(x[3]), x[5].plus(x[5]), x[7].plus(x[7]), x[9].plus(x[9]));
        let (y1n, y2n, y3n) = (y[1].times(19), y[2].times(19), y[3].times(19));
        let (y4n, y5n, y6n) = (y[4].times(19), y[5].times(19), y[6].times(19));
        let (y7n, y8n, y9n) = (y[7].times(19), y[8].times(19), y[9].times(19));
        Field::reduce([
            sum!(x[0], y[0]; x1d, y9n; x[2], y8n; x3d, y7n; x[4], y6n; x5d, y5n; x[6], y4n; x7d, y3n; x[8], y2n; x9d, y1n),
            sum!(x[0], y[1]; x[1], y[0]; x[2], y9n; x[3], y8n; x[4], y7n; x[5], y6n; x[6], y5n; x[7], y4n; x[8], y3n; x[9], y2n),
            sum!(x[0], y[2]; x1d, y[1]; x[2], y[0]; x3d, y9n; x[4], y8n; x5d, y7n; x[6], y6n; x7d, y5n; x[8], y4n; x9d, y3n),
            sum!(x[0], y[3]; x[1], y[2]; x[2], y[1]; x[3], y[0]; x[4], y9n; x[5], y8n; x[6], y7n; x[7], y6n; x[8], y5n; x[9], y4n),
            sum!(x[0], y[4]; x1d, y[3]; x[2], y[2]; x3d, y[1]; x[4], y[0]; x5d, y9n; x[6], y8n; x7d, y7n; x[8], y6n; x9d, y5n),
            sum!(x[0], y[5]; x[1], y[4]; x[2], y[3]; x[3], y[2]; x[4], y[1]; x[5], y[0]; x[6], y9n; x[7], y8n; x[8], y7n; x[9], y6n),
            sum!(x[0], y[6]; x1d, y[5]; x[2], y[4]; x3d, y[3]; x[4], y[2]; x5d, y[1]; x[6], y[0]; x7d, y9n; x[8], y8n; x9d, y7n),
            sum!(x[0], y[7]; x[1], y[6]; x[2], y[5]; x[3], y[4]; x[4], y[3]; x[5], y[2]; x[6], y[1]; x[7], y[0]; x[8], y9n; x[9], y8n),
            sum!(x[0], y[8]; x1d, y[7]; x[2], y[6]; x3d, y[5]; x[4], y[4]; x5d, y[3]; x[6], y[2]; x7d, y[1]; x[8], y[0]; x9d, y9n),
            sum!(x[0], y[9]; x[1], y[8]; x[2], y[7]; x[3], y[6]; x[4], y[5]; x[5], y[4]; x[6], y[3]; x[7], y[2]; x[8], y[1]; x[9], y[0]),
        ])
    }

    #[inline(never)]
    #[rustfmt::skip]
    pub fn square(&self) -> Field {
        let x = &self.0;
        let (x0d, x1d, x2d, x3d) = (x[0].plus(x[0]), x[1].plus(x[1]), x[2].plus(x[2]), x[3].plus(x[3]));
        let (x4d, x5d, x6d, x7d) = (x[4].plus(x[4]), x[5].plus(x[5]), x[6].plus(x[6]), x[7].plus(x[7]));
        let (x5n, x6n, x7n) = (x[5].times(19), x[6].times(19), x[7].times(19));
        let (x8n, x9n) = (x[8].times(19), x[9].times(19));
        let twice = |w: Wide| w.plus(w);
        Field::reduce([
            sum!(x[0], x[0]; x2d, x8n; x4d, x6n).plus(twice(sum!(x1d, x9n; x3d, x7n; x[5], x5n))),
            sum!(x0d, x[1]; x3d, x8n; x5d, x6n).plus(twice(sum!(x[2], x9n; x[4], x7n))),
            sum!(x0d, x[2]; x1d, x[1]; x4d, x8n; x[6], x6n).plus(twice(sum!(x3d, x9n; x5d, x7n))),
            sum!(x0d, x[3]; x1d, x[2]; x5d, x8n).plus(twice(sum!(x[4], x9n; x[6], x7n))),
            sum!(x0d, x[4]; x1d, x3d; x[2], x[2]; x6d, x8n).plus(twice(sum!(x5d, x9n; x[7], x7n))),
            sum!(x0d, x[5]; x1d, x[4]; x2d, x[3]; x7d, x8n).plus(twice(sum!(x[6], x9n))),
            sum!(x0d, x[6]; x1d, x5d; x2d, x[4]; x3d, x[3]; x[8], x8n).plus(twice(sum!(x7d, x9n))),
            sum!(x0d, x[7]; x1d, x[6]; x2d, x[5]; x3d, x[4]).plus(twice(sum!(x[8], x9n))),
            sum!(x0d, x[8]; x1d, x7d; x2d, x[6]; x3d, x5d; x[4], x[4]).plus(twice(sum!(x[9], x9n))),
            sum!(x0d, x[9]; x1d, x[8]; x2d, x[7]; x3d, x[6]; x4d, x[5]),
        ])
    }

    /// x^(2^k).
    fn squared(&self, k: u32) -> Field {
        (0..k).fold(*self, |x, _| x.square())
    }

    /// x^(2^250 - 1) and x^11.
    fn ladder(&self) -> (Field, Field) {
        let x2 = self.square();
        let x9 = self.times(&x2.squared(2));
        let x11 = x2.times(&x9);
        let a5 = x9.times(&x11.square());
        let a10 = a5.squared(5).times(&a5);
        let a20 = a10.squared(10).times(&a10);
        let a40 = a20.squared(20).times(&a20);
        let a50 = a40.squared(10).times(&a10);
        let a100 = a50.squared(50).times(&a50);
        let a200 = a100.squared(100).times(&a100);
        (a200.squared(50).times(&a50), x11)
    }

    /// x^(p - 2) = 1/x, and 0 for 0.
    pub fn inverted(&self) -> Field {
        let (a250, x11) = self.ladder();
        a250.squared(5).times(&x11)
    }

    /// x^((p - 5)/8).
    pub fn to_p58(self) -> Field {
        self.ladder().0.squared(2).times(&self)
    }

    /// The unique limbs of a tight element.
    pub fn canonical(&self) -> Field {
        let mut x = self.carried().0;
        // The value is below 2p: q = 1 exactly if it is at least p.
        let mut q = Quad::splat(19);
        for (i, limb) in x.iter().enumerate() {
            q = limb.plus(q).shr(bits(i));
        }
        x[0] = x[0].plus(q.times(19));
        for i in 0..10 {
            let high = x[i].shr(bits(i));
            x[i] = x[i].and(Quad::splat((1 << bits(i)) - 1));
            if i < 9 {
                x[i + 1] = x[i + 1].plus(high);
            }
        }
        Field(x)
    }

    /// All ones where a tight element is odd (RFC 9496: negative).
    pub fn is_negative(&self) -> Quad {
        Quad::splat(0).minus(self.canonical().0[0].and(Quad::splat(1)))
    }

    /// All ones where a tight element is zero.
    pub fn is_zero(&self) -> Quad {
        let any = self.canonical().0.into_iter().fold(Quad::splat(0), Quad::or);
        any.minus(Quad::splat(1)).shr(31).times(u32::MAX)
    }

    /// |x| of a tight element, tight.
    pub fn absolute(&self) -> Field {
        Field::select(self.is_negative(), self, &self.negated().carried())
    }

    /// Four encodings of 32 bytes, little-endian.
    pub fn to_bytes(self) -> [[u8; 32]; 4] {
        let x = self.canonical();
        from_fn(|lane| {
            let limbs = x.lane(lane);
            let mut out = [0; 32];
            let (mut held, mut count, mut at) = (0u64, 0, 0);
            for (i, limb) in limbs.into_iter().enumerate() {
                held |= u64::from(limb) << count;
                count += bits(i);
                while count >= 8 {
                    out[at] = held as u8;
                    (held, count, at) = (held >> 8, count - 8, at + 1);
                }
            }
            out[at] = held as u8;
            out
        })
    }

    /// Four encodings as words, little-endian.
    pub fn to_words(self) -> [[u32; 8]; 4] {
        self.to_bytes().map(|bytes| from_fn(|i| word(&bytes, i)))
    }

    /// Four elements from 255 bits each; bit 255 is not looked at.
    pub fn from_bytes(encodings: [&[u8; 32]; 4]) -> Field {
        Field::from_words(&from_fn::<_, 8, _>(|i| Quad::new(encodings.map(|bytes| word(bytes, i)))))
    }

    /// The same from 8 words.
    #[inline(always)]
    pub fn from_words(words: &[Quad]) -> Field {
        Field(from_fn(|i| {
            let first = (51 * i as u32).div_ceil(2);
            let (at, shift) = (first as usize / 32, first % 32);
            let low = words[at].shr(shift);
            let rest = shift + bits(i) > 32;
            let all = if rest { low.or(words[at + 1].shl(32 - shift)) } else { low };
            all.and(Quad::splat((1 << bits(i)) - 1))
        }))
    }
}

/// Word i of an encoding.
fn word(bytes: &[u8; 32], i: usize) -> u32 {
    u32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]])
}

/// Replaces each element by its inverse, zero by zero: one inversion and three products each.
pub fn invert_all(elements: &mut [Field]) {
    let one = Field::splat(&ONE);
    let zeros: Vec<Quad> = elements.iter().map(Field::is_zero).collect();
    let mut before = Vec::with_capacity(elements.len());
    let mut product = one;
    for (element, zero) in elements.iter_mut().zip(&zeros) {
        *element = Field::select(*zero, element, &one);
        before.push(product);
        product = product.times(element);
    }
    let mut inverse = product.inverted();
    for ((element, zero), before) in elements.iter_mut().zip(&zeros).zip(before).rev() {
        let own = inverse.times(&before);
        inverse = inverse.times(element);
        *element = Field::select(*zero, &own, &Field::splat(&ZERO));
    }
}
