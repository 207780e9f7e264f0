//! The part of signcryption that has to be done for each receiver, and nothing else (CLMMSC.md §5 step 5): multiply,
//! batch-encode, derive tag and key, seal. Written again here from the specification, so that the scheme's own code is
//! compared with it.

use crate::world::{MESSAGE, World};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use ristretto_quads::{Base, Point, double_multiples};
use std::rc::Rc;
use voltcast::clmmsc::aead;
use voltcast::clmmsc::hash::h64_any;
use voltcast::clmmsc::receivers::Addressee;

/// Tag, kS ‖ f ‖ length ‖ message, tag of the AEAD.
const PLAIN: usize = 128;
const ENTRY: usize = 16 + PLAIN + 16;

/// For n receivers met for the first time.
pub fn fresh(world: &Rc<World>, n: usize) -> impl Fn() -> Vec<u8> + 'static {
    let world = world.clone();
    let encodings: Vec<[u8; 32]> = world.fresh(n).iter().map(|to| to.pk.compress().0).collect();
    let points = Point::from_encodings(&encodings);
    move || {
        let half = one_time_key().div_by_2();
        let four_at_a_time = cfg!(all(target_arch = "wasm32", target_feature = "simd128"));
        let shared = if four_at_a_time {
            double_multiples(&half.to_bytes(), &points.iter().map(Base::Fresh).collect::<Vec<_>>())
        } else {
            let halves: Vec<RistrettoPoint> = world.fresh(n).iter().map(|to| half * to.pk).collect();
            RistrettoPoint::double_and_compress_batch(&halves).into_iter().map(|z| z.0).collect()
        };
        entries(&world, &shared)
    }
}

/// For n receivers with tables.
pub fn known(world: &Rc<World>, n: usize) -> impl Fn() -> Vec<u8> + 'static {
    let world = world.clone();
    world.know(n);
    move || {
        let known = world.known(n);
        let tables: Vec<Base<'_>> = known.iter().filter_map(|to| to.table().map(Base::Known)).collect();
        entries(&world, &double_multiples(&one_time_key().div_by_2().to_bytes(), &tables))
    }
}

fn one_time_key() -> Scalar {
    Scalar::from_bytes_mod_order([0x5a; 32])
}

/// k = H32("kem"; ctx, rid, Z), (tag, ke) = H64("ek"; k), the sealed entry.
fn entries(world: &World, shared: &[[u8; 32]]) -> Vec<u8> {
    let mut body = vec![0; shared.len() * ENTRY];
    for ((entry, z), to) in body.chunks_exact_mut(ENTRY).zip(shared).zip(world.fresh(shared.len())) {
        let k = h64_any("kem", &[&[0; 32], &to.rid.0, z]);
        let keys = h64_any("ek", &[&k[..32]]);
        let (tag, inside) = entry.split_at_mut(16);
        tag.copy_from_slice(&keys[..16]);
        inside[16..48].copy_from_slice(&to.record.f());
        inside[48..52].copy_from_slice(&(MESSAGE.len() as u32).to_le_bytes());
        inside[52..52 + MESSAGE.len()].copy_from_slice(&MESSAGE);
        let mut ke = [0; 32];
        ke.copy_from_slice(&keys[16..48]);
        aead::seal_in_place(&ke, inside);
    }
    body
}
