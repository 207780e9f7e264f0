//! Receivers of a broadcast, met for the first time or known, and Z_i = t·PK_i for all of them (CLMMSC.md §5 step 5, §15).
//!
//! σ does not depend on which receivers are known, only the time it takes does. A known receiver has a table of
//! multiples of its PK ([`Table::BYTES`] bytes), with which t·PK takes a quarter of the time; making the table takes
//! about as long as one and a half broadcasts to it. Tables hold public values only, and reading them takes the same
//! time and the same addresses for every t.

use super::group;
use super::record::PublicRecord;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use ristretto_quads::{Base, Point, Table, double_multiples};
use zeroize::{Zeroize, Zeroizing};

/// Whether four points at a time are faster than the curve library one after the other: where there are vectors of four
/// 32-bit numbers but no 64-bit products.
const FOUR_AT_A_TIME: bool = cfg!(all(target_arch = "wasm32", target_feature = "simd128"));
/// Fewer fresh receivers than this are quicker one after the other.
const FEW: usize = 3;

/// Somebody a message can be addressed to: a [`PublicRecord`] or a [`KnownReceiver`].
pub trait Addressee {
    fn public(&self) -> &PublicRecord;

    /// The multiples of PK kept for later broadcasts, if any.
    fn table(&self) -> Option<&Table> {
        None
    }
}

impl Addressee for PublicRecord {
    fn public(&self) -> &PublicRecord {
        self
    }
}

/// A receiver that is written to again and again.
#[derive(Clone)]
pub struct KnownReceiver {
    public: PublicRecord,
    table: Table,
}

impl KnownReceiver {
    /// Prepares receivers, best many at once: four cost as much as one.
    pub fn prepare(records: &[PublicRecord]) -> Vec<KnownReceiver> {
        let points: Vec<Point> = records.chunks(4).flat_map(points_of).collect();
        let tables = Table::of(&points);
        records.iter().zip(tables).map(|(public, table)| KnownReceiver { public: public.clone(), table }).collect()
    }
}

impl Addressee for KnownReceiver {
    fn public(&self) -> &PublicRecord {
        &self.public
    }

    fn table(&self) -> Option<&Table> {
        Some(&self.table)
    }
}

fn points_of(records: &[PublicRecord]) -> Vec<Point> {
    match records.iter().map(|record| record.point).collect() {
        Some(points) => points,
        None => Point::from_encodings(&records.iter().map(|record| group::enc(&record.pk)).collect::<Vec<_>>()),
    }
}

/// PK as four points at a time are multiplied, where that is done.
pub(crate) fn prepared(pk: &RistrettoPoint) -> Option<Point> {
    FOUR_AT_A_TIME.then(|| Point::from_encoding(&group::enc(pk)))
}

/// enc(t·PK_i) for each receiver, in order and in constant time: (t/2)·PK_i, then one batched double-and-encode.
pub(crate) fn shared_secrets<'a>(
    t: &Scalar,
    receivers: impl Iterator<Item = &'a dyn Addressee>,
) -> Zeroizing<Vec<[u8; 32]>> {
    let half = Zeroizing::new(t.div_by_2());
    let receivers: Vec<&dyn Addressee> = receivers.collect();
    let fresh = receivers.iter().filter(|to| to.table().is_none()).count();
    let fours = FOUR_AT_A_TIME && fresh >= FEW;
    let base = |to: &&'a dyn Addressee| match (to.table(), &to.public().point) {
        (Some(table), _) => Some(Base::Known(table)),
        (None, Some(point)) if fours => Some(Base::Fresh(point)),
        _ => None,
    };
    let bases: Vec<Option<Base<'_>>> = receivers.iter().map(base).collect();
    let together: Vec<Base<'_>> = bases.iter().copied().flatten().collect();
    let apart = receivers.iter().zip(&bases).filter(|(_, base)| base.is_none());
    let mut halves: Vec<RistrettoPoint> = apart.map(|(to, _)| *half * to.public().pk).collect();
    let mut apart = RistrettoPoint::double_and_compress_batch(&halves).into_iter();
    halves.zeroize();
    let mut half_bytes = half.to_bytes();
    let mut together = double_multiples(&half_bytes, &together).into_iter();
    half_bytes.zeroize();
    let next = |base: &Option<Base<'_>>| match base {
        Some(_) => together.next(),
        None => apart.next().map(|z| z.0),
    };
    Zeroizing::new(bases.iter().filter_map(next).collect())
}
