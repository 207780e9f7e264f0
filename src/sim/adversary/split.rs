//! Who hears which body of a gateway that lives twice (CONSENSUS.md §5.3), for one view: a letter per gateway, `a` for the
//! first body, `b` for the second, `x` for both and `-` for neither. Who has no letter hears both.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// As many gateways as there may be.
const MOST: usize = 128;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Split {
    letters: usize,
    /// Who hears the first, and who the second body.
    masks: (u128, u128),
}

impl Split {
    /// Everybody hears both.
    pub const WHOLE: Split = Split { letters: 0, masks: (u128::MAX, u128::MAX) };

    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MOST {
            return None;
        }
        let (mut first, mut second) = Self::WHOLE.masks;
        for (at, letter) in text.bytes().enumerate() {
            let bit = 1 << at;
            match letter {
                b'a' => second &= !bit,
                b'b' => first &= !bit,
                b'x' => {}
                b'-' => (first, second) = (first & !bit, second & !bit),
                _ => return None,
            }
        }
        Some(Split { letters: text.len(), masks: (first, second) })
    }

    /// Who hears the first, and who the second body: bit i is gateway i.
    pub(super) fn masks(self) -> (u128, u128) {
        self.masks
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hears = |mask: u128, at: usize| mask >> at & 1 == 1;
        (0..self.letters).try_for_each(|at| {
            f.write_str(match (hears(self.masks.0, at), hears(self.masks.1, at)) {
                (true, false) => "a",
                (false, true) => "b",
                (true, true) => "x",
                (false, false) => "-",
            })
        })
    }
}

impl Serialize for Split {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Split {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Split::parse(&text).ok_or_else(|| de::Error::custom("expected a letter a, b, x or - for each gateway"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_says_who_hears_whom() {
        let split = Split::parse("-abx").unwrap();
        assert_eq!(split.to_string(), "-abx");
        let (first, second) = split.masks();
        assert_eq!((first & 0b1_1111, second & 0b1_1111), (0b1_1010, 0b1_1100));
        assert_eq!(Split::parse(""), Some(Split::WHOLE));
        assert!(Split::parse("abc").is_none() && Split::parse(&"a".repeat(MOST + 1)).is_none());
    }
}
