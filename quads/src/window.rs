//! A scalar times four points for which nothing is precomputed: signed windows of four bits.

use crate::digits::{Digit, Signs, equal};
use crate::field::Field;
use crate::lanes::Quad;
use crate::point::{Cached, Extended};
use core::array::from_fn;

const WIDTH: usize = 4;
const WINDOWS: usize = 64;
/// Number of signs of a scalar.
pub const SIGNS: usize = WIDTH * WINDOWS;

/// P, 3P, 5P, .., 15P.
struct Odd([Cached; 8]);

impl Odd {
    fn of(p: &Extended) -> Odd {
        let twice = p.doubled(1).cached();
        let mut last = *p;
        Odd(from_fn(|i| {
            if i > 0 {
                last = last.plus(&twice);
            }
            last.cached()
        }))
    }

    /// Reads the whole table, whatever the digit.
    fn select(&self, digit: &Digit) -> Cached {
        let pick = |of: fn(&Cached) -> &Field| {
            let mut sum = [Quad::splat(0); 10];
            for (i, entry) in (0..).zip(&self.0) {
                let mask = Quad::splat(equal(i, digit.index));
                for (limb, own) in sum.iter_mut().zip(&of(entry).0) {
                    *limb = limb.or(mask.and(*own));
                }
            }
            Field(sum)
        };
        let chosen =
            Cached { plus: pick(|c| &c.plus), minus: pick(|c| &c.minus), z: pick(|c| &c.z), t2d: pick(|c| &c.t2d) };
        chosen.negated_if(digit.negative)
    }
}

/// Four multiples by the scalar behind [`SIGNS`] signs.
pub fn multiply(signs: &Signs, p: &Extended) -> Extended {
    let odd = Odd::of(p);
    let digit = |window: usize| odd.select(&signs.digit(WIDTH * window, 1, WIDTH));
    let top = Extended::neutral().plus(&digit(WINDOWS - 1));
    (0..WINDOWS - 1).rev().fold(top, |sum, window| sum.doubled(WIDTH as u32).plus(&digit(window)))
}
