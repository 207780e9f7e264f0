//! Primitives.

use super::{Cases, People, hex};
use crate::clmmsc::pseudonym::Identity;
use crate::clmmsc::record::BASE;
use crate::clmmsc::verify::node_hash;
use crate::clmmsc::{Class, Error, Role, aead, group, hash, merkle, wire};
use curve25519_dalek::scalar::Scalar;
use serde_json::json;

/// The group order q, little-endian: the first value that is no scalar.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

pub fn cases(maker: &mut People, cases: &mut Cases) -> Result<(), Error> {
    for (label, parts) in [("kem", 3usize), ("leaf", 2), ("h", 0), ("bw", 1)] {
        let parts: Vec<Vec<u8>> = (0..parts).map(|i| maker.noise(i * 37)).collect();
        let borrowed: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let h64 = hash::h64_any(label, &borrowed);
        cases.add(
            "hash",
            label,
            json!({
                "label": label, "parts": parts.iter().map(hex).collect::<Vec<_>>(), "h64": hex(h64),
                "hs": hex(Scalar::from_bytes_mod_order_wide(&h64).as_bytes()),
            }),
        );
    }
    let mut negative = group::enc(&BASE);
    negative[0] ^= 1;
    for (name, bytes, expect) in [
        ("base", group::enc(&BASE), "ok"),
        ("neutral", [0; 32], "PointEncoding"),
        ("all ones", [255; 32], "PointEncoding"),
        ("negative field element", negative, "PointEncoding"),
    ] {
        cases.add("point", name, json!({ "bytes": hex(bytes), "expect": expect }));
    }
    let mut below = ORDER;
    below[0] -= 1;
    for (name, bytes, expect) in [
        ("zero", [0; 32], "ScalarEncoding"),
        ("q - 1", below, "ok"),
        ("q", ORDER, "ScalarEncoding"),
        ("2^256 - 1", [255; 32], "ScalarEncoding"),
    ] {
        cases.add("scalar", name, json!({ "bytes": hex(bytes), "expect": expect }));
    }
    for len in [0, 1, 15, 16, 17, 64, 1000] {
        let (key, pt) = (maker.bytes(), maker.noise(len));
        cases.add(
            "aead",
            &format!("{len} bytes"),
            json!({ "key": hex(key), "pt": hex(&pt), "ct": hex(aead::seal(&key, &pt)) }),
        );
    }
    // Each size, and one byte more than the one before: the table itself is the specification's.
    let sizes: Vec<u32> = (0..15).flat_map(|k| [Some(64 << k), (k < 14).then_some(96 << k)]).flatten().collect();
    for pair in sizes.windows(2) {
        cases.add("bucket", &format!("{} fits", pair[0]), json!({ "need": pair[0], "L": pair[0] }));
        cases.add("bucket", &format!("{} does not", pair[0] + 1), json!({ "need": pair[0] + 1, "L": pair[1] }));
    }
    debug_assert!(wire::buckets().eq(sizes));
    for count in [1usize, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33] {
        let leaves: Vec<[u8; 32]> = (0..count).map(|_| maker.bytes()).collect();
        let paths: Option<Vec<String>> =
            (0..count).map(|i| merkle::path(&leaves, i, &node_hash).map(|p| hex(p.concat()))).collect();
        cases.add(
            "merkle",
            &format!("{count} leaves"),
            json!({
                "leaves": leaves.iter().map(hex).collect::<Vec<_>>(),
                "root": hex(merkle::root(&leaves, &node_hash).ok_or(Error::Root)?), "paths": paths,
            }),
        );
    }
    for (uid, epoch, ctr) in [(0, 0, 0), (7, 488_888, 1), (u64::MAX, u32::MAX, u32::MAX)] {
        let f = maker.master.pseudonym(Class::Id, Role::Ev, &Identity { uid, valid_from: epoch, ctr });
        cases.add(
            "pseudonym",
            "make and open",
            json!({
                "class": 1, "role": 5, "uid": uid.to_string(), "epoch": epoch, "ctr": ctr, "f": hex(f)
            }),
        );
        cases.add(
            "pseudonym-open",
            "right",
            json!({
                "class": 1, "role": 5, "f": hex(f), "expect": "ok", "uid": uid.to_string(), "epoch": epoch, "ctr": ctr
            }),
        );
        cases.add(
            "pseudonym-open",
            "another class",
            json!({ "class": 3, "role": 5, "f": hex(f), "expect": "Pseudonym" }),
        );
        let mut bent = f;
        bent[31] ^= 128;
        cases.add(
            "pseudonym-open",
            "a bit altered",
            json!({ "class": 1, "role": 5, "f": hex(bent), "expect": "Pseudonym" }),
        );
    }
    Ok(())
}
