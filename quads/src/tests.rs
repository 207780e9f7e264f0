//! Everything against curve25519-dalek.

use super::*;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;

/// Scalars from a counter; the first ones are small or close to the order.
fn scalar(i: u64) -> Scalar {
    match i {
        0 => Scalar::ONE,
        1 => -Scalar::ONE,
        2 => Scalar::from(2u8),
        3 => -Scalar::from(2u8),
        4 => Scalar::from_bytes_mod_order([255; 32]),
        _ => {
            let mut x = Scalar::from(i) * Scalar::from_bytes_mod_order([0x9d; 32]);
            for _ in 0..8 {
                x = x * x + Scalar::from(i);
            }
            x
        }
    }
}

fn expected(t: &Scalar, points: &[RistrettoPoint]) -> Vec<[u8; 32]> {
    points.iter().map(|p| (t * p).compress().0).collect()
}

#[test]
fn multiples_agree_with_dalek_fresh_known_and_mixed() {
    for count in [1, 2, 3, 4, 5, 9] {
        let bases: Vec<RistrettoPoint> = (0..count).map(|i| RistrettoPoint::mul_base(&scalar(i))).collect();
        let encodings: Vec<[u8; 32]> = bases.iter().map(|p| p.compress().0).collect();
        let points = Point::from_encodings(&encodings);
        let tables = Table::of(&points);
        assert_eq!(points[0], Point::from_encoding(&encodings[0]));
        for i in 0..24 {
            let t = scalar(i);
            let half = t.div_by_2().to_bytes();
            let fresh: Vec<Base<'_>> = points.iter().map(Base::Fresh).collect();
            let known: Vec<Base<'_>> = tables.iter().map(Base::Known).collect();
            let mixed: Vec<Base<'_>> =
                fresh.iter().zip(&known).enumerate().map(|(j, (f, k))| if j % 3 == 1 { *k } else { *f }).collect();
            for list in [fresh, known, mixed] {
                assert_eq!(double_multiples(&half, &list), expected(&t, &bases), "scalar {i}, {count} points");
            }
        }
    }
}

#[test]
fn the_neutral_element_and_zero_have_their_encoding() {
    let point = Point::from_encoding(&RistrettoPoint::mul_base(&Scalar::ONE).compress().0);
    let neutral = Point::from_encoding(&[0; 32]);
    let tables = Table::of(&[point, neutral]);
    let half = scalar(7).div_by_2().to_bytes();
    let zero = double_multiples(&[0; 32], &[Base::Fresh(&point), Base::Known(&tables[0])]);
    assert_eq!(zero, [[0; 32]; 2]);
    let of_neutral = double_multiples(&half, &[Base::Fresh(&neutral), Base::Known(&tables[1])]);
    assert_eq!(of_neutral, [[0; 32]; 2]);
}

#[test]
fn field_elements_survive_the_edges() {
    let mut p_minus_1 = [255; 32];
    (p_minus_1[0], p_minus_1[31]) = (0xec, 0x7f);
    let (mut one, mut two) = ([0; 32], [0; 32]);
    (one[0], two[0]) = (1, 2);
    // All bits set below 2^255 stands for 18.
    let mut eighteen = [255; 32];
    eighteen[31] = 0x7f;
    let x = Field::from_bytes([&p_minus_1, &one, &two, &eighteen]);
    let mut reduced = [0; 32];
    reduced[0] = 18;
    assert_eq!(x.to_bytes(), [p_minus_1, one, two, reduced]);
    let inverse = x.inverted();
    assert_eq!(x.times(&inverse).to_bytes(), [one; 4]);
    assert_eq!(x.square().to_bytes(), x.times(&x).to_bytes());
    assert_eq!(x.plus(&x.negated()).carried().is_zero().lanes(), [u32::MAX; 4]);
    assert_eq!(x.is_zero().lanes(), [0; 4]);
    assert_eq!(x.is_negative().lanes(), [0, u32::MAX, 0, 0]);
}

#[test]
fn the_largest_limbs_allowed_do_not_overflow() {
    // Limbs at the bounds of the module comment: b = 2.4 in the first factor, b = 1.6 in the second.
    let limbs = |numerator: u64| -> Limbs { from_fn(|i| (((1u64 << (26 - i % 2)) - 1) * numerator / 1000) as u32) };
    let (a, b) = (Field::splat(&limbs(5270)), Field::splat(&limbs(3030)));
    let (ta, tb) = (a.carried().carried(), b.carried().carried());
    assert_eq!(a.times(&b).to_bytes(), ta.times(&tb).to_bytes());
    assert_eq!(b.square().to_bytes(), tb.times(&tb).to_bytes());
}

#[test]
fn a_table_fits_its_budget() {
    assert_eq!(Table::BYTES, 6144);
}
