//! A scalar times points that were met before: a signed comb (Lim, Lee 1994; Hedabou, Pinel, Bénéteau 2005).
//!
//! The 260 signs of a scalar are read in 52 columns of 5 teeth, 52 signs apart. The 16 sums of a column's teeth (the
//! top one positive) are precomputed for the columns 0, 13, 26 and 39, so that a product takes 12 doublings and 52
//! additions of affine points. 64 entries of 96 bytes make 6,144 bytes for one point; other shapes of about that size
//! (6 teeth in 2 tables, 4 teeth in 8) take more time.

use crate::digits::{Digit, Signs, equal};
use crate::field::{Field, invert_all};
use crate::lanes::Quad;
use crate::point::{Affine, Cached, Extended};
use core::array::from_fn;

const TEETH: usize = 5;
const TABLES: usize = 4;
const STEPS: usize = 13;
const COLUMNS: usize = TABLES * STEPS;
const ENTRIES: usize = 1 << (TEETH - 1);
/// Number of signs of a scalar.
pub const SIGNS: usize = TEETH * COLUMNS;

/// Encodings of y + x, y - x and 2dxy, four words to a quad: a quarter smaller than their limbs, and quicker to read
/// over whole tables.
type Entry = [Quad; 6];

/// What is kept of one point.
#[derive(Clone)]
pub struct Comb(Box<[[Entry; ENTRIES]; TABLES]>);

impl Comb {
    /// Bytes on the heap.
    pub const BYTES: usize = size_of::<[[Entry; ENTRIES]; TABLES]>();

    /// The combs of four points.
    pub fn of(p: &Extended) -> [Comb; 4] {
        let sums = all_sums(p);
        let mut inverses: Vec<Field> = sums.iter().map(|sum| sum.z).collect();
        invert_all(&mut inverses);
        let mut combs = from_fn(|_| Comb(Box::new([[[Quad::splat(0); 6]; ENTRIES]; TABLES])));
        for (i, (sum, inverse)) in sums.iter().zip(&inverses).enumerate() {
            let affine = sum.affine(inverse);
            let words = [affine.plus, affine.minus, affine.t2d].map(Field::to_words);
            for (lane, comb) in combs.iter_mut().enumerate() {
                let quad = |i: usize| Quad::new(from_fn(|word| words[i / 2][lane][4 * (i % 2) + word]));
                comb.0[i / ENTRIES][i % ENTRIES] = from_fn(quad);
            }
        }
        combs
    }

    /// The entry of a secret digit; reads the whole table.
    #[inline(always)]
    fn select(&self, table: usize, masks: &[Quad; ENTRIES]) -> Entry {
        let mut sum = [Quad::splat(0); 6];
        for (entry, mask) in self.0[table].iter().zip(masks) {
            for (quad, own) in sum.iter_mut().zip(entry) {
                *quad = quad.or(mask.and(*own));
            }
        }
        sum
    }
}

/// For table b and place v: 2^13b·(2^208·P + Σ_{k < 4} ±2^52k·P), plus where bit k of v is set.
fn all_sums(p: &Extended) -> Vec<Extended> {
    let mut powers = vec![*p];
    for i in 1..TEETH * TABLES {
        powers.push(powers[i - 1].doubled(STEPS as u32));
    }
    let mut sums = Vec::with_capacity(ENTRIES * TABLES);
    for table in 0..TABLES {
        let tooth = |k: usize| &powers[table + k * TABLES];
        let minus = Quad::splat(u32::MAX);
        let lowest = (0..TEETH - 1).fold(*tooth(TEETH - 1), |sum, k| sum.plus(&tooth(k).cached().negated_if(minus)));
        let steps: [Cached; TEETH - 1] = from_fn(|k| tooth(k).doubled(1).cached());
        let first = sums.len();
        sums.push(lowest);
        for v in 1..ENTRIES {
            let k = v.ilog2() as usize;
            let rest: Extended = sums[first + v - (1 << k)];
            sums.push(rest.plus(&steps[k]));
        }
    }
    sums
}

/// The entries of four combs at a secret digit.
fn entry(combs: &[&Comb; 4], table: usize, digit: &Digit) -> Affine {
    let masks = from_fn(|i| Quad::splat(equal(i as u32, digit.index)));
    let rows = combs.map(|comb| comb.select(table, &masks));
    let words = |i: usize| Quad::transpose(from_fn(|lane| rows[lane][i]));
    let field = |i: usize| Field::from_words([words(2 * i), words(2 * i + 1)].as_flattened());
    Affine { plus: field(0), minus: field(1), t2d: field(2) }.negated_if(digit.negative)
}

/// Four multiples by the scalar behind [`SIGNS`] signs.
pub fn multiply(signs: &Signs, combs: &[&Comb; 4]) -> Extended {
    let at = |step: usize, table: usize| entry(combs, table, &signs.digit(table * STEPS + step, COLUMNS, TEETH));
    let column = |sum: Extended, step: usize| (0..TABLES).fold(sum, |sum, table| sum.plus_affine(&at(step, table)));
    let top = (1..TABLES).fold(at(STEPS - 1, 0).extended(), |sum, table| sum.plus_affine(&at(STEPS - 1, table)));
    (0..STEPS - 1).rev().fold(top, |sum, step| column(sum.doubled(1), step))
}
