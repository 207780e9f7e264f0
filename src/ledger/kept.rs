//! A hash kept beside what it is of, so that all who share an object hash it once.
//!
//! Whoever may change the object may also forget to tell, so the hash is kept with a copy of what went into it and given
//! only for what still equals that copy: it can be spared, never wrong.

use core::fmt;
use std::sync::OnceLock;

/// The first hash asked for, of a `T` with the value `D`. Equal to every other: it says nothing of its own.
#[derive(Clone)]
pub struct Kept<T, D>(OnceLock<(T, D)>);

impl<T: Clone + PartialEq, D: Copy> Kept<T, D> {
    /// The hash of `value`, which only has to be made if it is not the one at hand.
    pub fn of(&self, value: &T, hash: impl Fn(&T) -> D) -> D {
        match self.0.get_or_init(|| (value.clone(), hash(value))) {
            (known, digest) if known == value => *digest,
            _ => hash(value),
        }
    }
}

impl<T, D> Default for Kept<T, D> {
    fn default() -> Self {
        Kept(OnceLock::new())
    }
}

impl<T, D> PartialEq for Kept<T, D> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T, D> Eq for Kept<T, D> {}

impl<T, D> fmt::Debug for Kept<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    #[test]
    fn a_hash_is_made_once_and_never_given_for_another_value() {
        let (kept, made) = (Kept::default(), Cell::new(0));
        let double = |value: &u64| {
            made.set(made.get() + 1);
            value * 2
        };
        assert_eq!((kept.of(&4, double), kept.of(&4, double), made.get()), (8, 8, 1));
        assert_eq!((kept.of(&5, double), kept.of(&5, double), kept.of(&4, double), made.get()), (10, 10, 8, 3));
    }
}
