//! One secret scalar times many points of ristretto255, four points at a time.
//!
//! A broadcast multiplies the same secret t by every receiver's public key, so four receivers can go through the same
//! additions side by side in the lanes of a vector. The curve library does not offer that, nor tables for points of the
//! caller's own that stay below 30 KB; this crate has both, and nothing else. Time and memory access depend on the
//! number of points only, never on the scalar.

mod comb;
mod digits;
mod field;
mod lanes;
mod point;
mod window;

use core::array::from_fn;
use digits::Signs;
use field::{Field, Limbs};
use point::Extended;

/// Points worked on before their encodings are made with one common inversion.
const BATCH: usize = 1024;

/// A group element: affine coordinates of one of its representatives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Point {
    x: Limbs,
    y: Limbs,
}

impl Point {
    /// From canonical encodings (RFC 9496). What is no encoding gives some other point and is not refused.
    pub fn from_encodings(encodings: &[[u8; 32]]) -> Vec<Point> {
        in_fours(encodings, |four: [&[u8; 32]; 4]| {
            let (x, y) = point::decode(four);
            from_fn(|lane| Point { x: x.lane(lane), y: y.lane(lane) })
        })
    }

    /// From one canonical encoding.
    pub fn from_encoding(encoding: &[u8; 32]) -> Point {
        let (x, y) = point::decode([encoding; 4]);
        Point { x: x.lane(0), y: y.lane(0) }
    }

    fn join(points: [&Point; 4]) -> Extended {
        Extended::from_affine(Field::join(points.map(|p| &p.x[..])), Field::join(points.map(|p| &p.y[..])))
    }
}

/// A point with a table of [`Table::BYTES`] bytes that makes its multiples about four times cheaper.
#[derive(Clone)]
pub struct Table(comb::Comb);

impl Table {
    pub const BYTES: usize = comb::Comb::BYTES;

    /// One table for each point; a table costs about as much as one and a half multiples.
    pub fn of(points: &[Point]) -> Vec<Table> {
        in_fours(points, |four| comb::Comb::of(&Point::join(four)).map(Table))
    }
}

/// A point to multiply.
#[derive(Clone, Copy)]
pub enum Base<'a> {
    Fresh(&'a Point),
    Known(&'a Table),
}

/// Encodings of 2·half·B for each point B, in order. `half` is a canonical scalar; halving the wanted scalar beforehand
/// makes the encodings cheap.
pub fn double_multiples(half: &[u8; 32], bases: &[Base<'_>]) -> Vec<[u8; 32]> {
    let (windows, teeth) = (Signs::of(half, window::SIGNS), Signs::of(half, comb::SIGNS));
    let mut out = vec![[0; 32]; bases.len()];
    for (bases, out) in bases.chunks(BATCH).zip(out.chunks_mut(BATCH)) {
        let (mut fresh, mut known) = (Vec::new(), Vec::new());
        for (i, base) in bases.iter().enumerate() {
            match base {
                Base::Fresh(point) => fresh.push((i, *point)),
                Base::Known(table) => known.push((i, &table.0)),
            }
        }
        let fresh_groups = fresh.chunks(4).map(|group| window::multiply(&windows, &Point::join(four(group))));
        let known_groups = known.chunks(4).map(|group| comb::multiply(&teeth, &four(group)));
        let products: Vec<Extended> = fresh_groups.chain(known_groups).collect();
        let encodings = point::double_and_encode(&products);
        let places = fresh.chunks(4).map(places).chain(known.chunks(4).map(places));
        for (places, four) in places.zip(encodings) {
            places.into_iter().zip(four).for_each(|(place, encoding)| out[place] = encoding);
        }
    }
    out
}

fn places<T>(group: &[(usize, T)]) -> Vec<usize> {
    group.iter().map(|(place, _)| *place).collect()
}

/// A group of one to four, filled up with its last member.
fn four<'a, T>(group: &[(usize, &'a T)]) -> [&'a T; 4] {
    from_fn(|lane| group[lane.min(group.len() - 1)].1)
}

/// Maps four at a time; the last group is filled up with its last member.
fn in_fours<T, R>(items: &[T], map: impl Fn([&T; 4]) -> [R; 4]) -> Vec<R> {
    let groups = items.chunks(4);
    groups
        .flat_map(|group| map(from_fn(|lane| &group[lane.min(group.len() - 1)])).into_iter().take(group.len()))
        .collect()
}

#[cfg(test)]
mod tests;
