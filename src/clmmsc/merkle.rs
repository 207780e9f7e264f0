//! Merkle trees in the shape of RFC 6962 (§2.1 there): split at the largest power of two below the count.
//!
//! Only the shape lives here; leaves come hashed and the caller brings the node hash under its own label: the scheme for
//! the entries of one σ (CLMMSC.md §5 step 7), the ledger for the ciphertexts of one block (CONSENSUS.md §2.4). It must
//! never hash anything itself, or two trees could share a label.

/// A hash value of the tree.
pub type Hash = [u8; 32];

/// The largest power of two strictly below `count`; `count` ≥ 2.
fn split(count: usize) -> usize {
    1 << (count - 1).ilog2()
}

/// Root over the leaf hashes in order (§5 step 7): n − 1 hashes; `None` if there are none.
pub fn root(leaves: &[Hash], node: &impl Fn(&Hash, &Hash) -> Hash) -> Option<Hash> {
    match leaves {
        [] => None,
        [leaf] => Some(*leaf),
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            Some(node(&root(left, node)?, &root(right, node)?))
        }
    }
}

/// Siblings of leaf `index`, from the leaf up to the root; `None` if there is no such leaf.
pub fn path(leaves: &[Hash], index: usize, node: &impl Fn(&Hash, &Hash) -> Hash) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    if leaves.len() == 1 {
        return Some(Vec::new());
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut siblings, other) =
        if index < k { (path(left, index, node)?, right) } else { (path(right, index - k, node)?, left) };
    siblings.push(root(other, node)?);
    Some(siblings)
}

/// Number of siblings on the path of leaf `index` among `count`; `None` if there is no such leaf.
pub fn path_len(index: u32, count: u32) -> Option<u32> {
    if index >= count {
        return None;
    }
    let (mut index, mut count, mut len) = (index, count, 0);
    while count > 1 {
        let k = 1 << (count - 1).ilog2();
        (index, count) = if index < k { (index, k) } else { (index - k, count - k) };
        len += 1;
    }
    Some(len)
}

/// The root that a path leads to from `leaf` at `index` among `count` leaves; `None` if the path has the wrong length or
/// the index is out of range. The caller compares it with the root it trusts.
pub fn root_of_path(
    leaf: &Hash,
    index: u32,
    count: u32,
    path: &[Hash],
    node: &impl Fn(&Hash, &Hash) -> Hash,
) -> Option<Hash> {
    if index >= count {
        return None;
    }
    if count == 1 {
        return path.is_empty().then_some(*leaf);
    }
    let (sibling, rest) = path.split_last()?;
    let k = 1 << (count - 1).ilog2();
    if index < k {
        Some(node(&root_of_path(leaf, index, k, rest, node)?, sibling))
    } else {
        Some(node(sibling, &root_of_path(leaf, index - k, count - k, rest, node)?))
    }
}

/// Whether `path` proves (§11.2) that `leaf` is number `index` of `count` leaves under `root`.
pub fn verify_path(
    root: &Hash,
    leaf: &Hash,
    index: u32,
    count: u32,
    path: &[Hash],
    node: &impl Fn(&Hash, &Hash) -> Hash,
) -> bool {
    root_of_path(leaf, index, count, path, node).as_ref() == Some(root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};

    fn node(left: &Hash, right: &Hash) -> Hash {
        Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
    }

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|i| [i as u8; 32]).collect()
    }

    #[test]
    fn shape_is_that_of_rfc_6962() {
        let l = leaves(7);
        let [a, b, c, d, e, f, g] = [l[0], l[1], l[2], l[3], l[4], l[5], l[6]];
        let left = node(&node(&a, &b), &node(&c, &d));
        assert_eq!(root(&l, &node), Some(node(&left, &node(&node(&e, &f), &g))));
        assert_eq!(root(&l[..5], &node), Some(node(&left, &e)));
        assert_eq!(root(&l[..1], &node), Some(a));
        assert_eq!(root(&[], &node), None);
    }

    #[test]
    fn every_path_leads_to_the_root_and_no_other_does() {
        for count in 1..=20 {
            let all = leaves(count);
            let top = root(&all, &node).unwrap();
            for index in 0..count {
                let way = path(&all, index, &node).unwrap();
                let (i, n) = (index as u32, count as u32);
                assert_eq!(path_len(i, n), Some(way.len() as u32));
                assert!(verify_path(&top, &all[index], i, n, &way, &node));
                assert!(!verify_path(&top, &[99; 32], i, n, &way, &node), "another leaf");
                assert!(!verify_path(&top, &all[index], n, n, &way, &node), "index out of range");
                let mut long = way.clone();
                long.push([0; 32]);
                assert!(!verify_path(&top, &all[index], i, n, &long, &node), "a longer path");
                for level in 0..way.len() {
                    let mut bent = way.clone();
                    bent[level][0] ^= 1;
                    assert!(!verify_path(&top, &all[index], i, n, &bent, &node), "a changed sibling");
                }
            }
            assert_eq!(path(&all, count, &node), None);
            assert_eq!(path_len(count as u32, count as u32), None);
        }
    }
}
