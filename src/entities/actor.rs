//! Who acts: the names of the paper's five actors and of the outsider (WORLD.md §2).

use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The paper's roles; the numbers are those of CLMMSC.md §1. `Outsider` only authors injected packets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Role {
    Kgc = 1,
    Csc = 2,
    Css = 3,
    Cp = 4,
    Ev = 5,
    Outsider = 6,
}

impl Role {
    /// All roles that take part in a run, in the order of their codes.
    pub const ACTORS: [Role; 5] = [Role::Kgc, Role::Csc, Role::Css, Role::Cp, Role::Ev];

    /// The wire code of CLMMSC.md §1.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Lower-case prefix of actor ids, as in `css1`.
    pub fn prefix(self) -> &'static str {
        match self {
            Role::Kgc => "kgc",
            Role::Csc => "csc",
            Role::Css => "css",
            Role::Cp => "cp",
            Role::Ev => "ev",
            Role::Outsider => "eve",
        }
    }
}

/// One actor: a role and an index from 0. It prints as `css1` (counted from 1), the form of links, files and logs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorId {
    pub role: Role,
    pub index: u16,
}

impl ActorId {
    pub const fn new(role: Role, index: u16) -> Self {
        ActorId { role, index }
    }

    /// Number of the random streams of this actor, `role·65536 + index`: independent of how many others exist.
    pub fn code(self) -> u32 {
        u32::from(self.role.code()) << 16 | u32::from(self.index)
    }

    /// The KGC's number for the real identity, `role·10^6 + index + 1`.
    pub fn uid(self) -> u64 {
        u64::from(self.role.code()) * 1_000_000 + u64::from(self.index) + 1
    }

    /// Inverse of [`ActorId::uid`].
    pub fn from_uid(uid: u64) -> Option<Self> {
        let role = Role::ACTORS.into_iter().find(|r| u64::from(r.code()) == uid / 1_000_000)?;
        Some(ActorId { role, index: u16::try_from((uid % 1_000_000).checked_sub(1)?).ok()? })
    }

    /// What people read: `CSS 1`. The only place, with [`fmt::Display`], that counts from 1.
    pub fn label(self) -> String {
        match self.role {
            Role::Outsider => "Outsider".into(),
            role => format!("{} {}", role.prefix().to_uppercase(), u32::from(self.index) + 1),
        }
    }

    /// Parses the text form (`css1`, `eve`).
    pub fn parse(text: &str) -> Option<Self> {
        if text == "eve" {
            return Some(ActorId::new(Role::Outsider, 0));
        }
        let role = Role::ACTORS.into_iter().find(|r| {
            text.strip_prefix(r.prefix())
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
        })?;
        let number: u16 = text[role.prefix().len()..].parse().ok()?;
        Some(ActorId { role, index: number.checked_sub(1)? })
    }
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.role {
            Role::Outsider => f.write_str("eve"),
            role => write!(f, "{}{}", role.prefix(), u32::from(self.index) + 1),
        }
    }
}

impl fmt::Debug for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ActorId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { self.code().serialize(s) }
    }
}

impl<'de> Deserialize<'de> for ActorId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
            ActorId::parse(&text).ok_or_else(|| de::Error::custom(format!("unknown actor `{text}`")))
        } else {
            let code = u32::deserialize(d)?;
            let role = [Role::Kgc, Role::Csc, Role::Css, Role::Cp, Role::Ev, Role::Outsider]
                .into_iter()
                .find(|r| u32::from(r.code()) == code >> 16)
                .ok_or_else(|| de::Error::custom("unknown role"))?;
            Ok(ActorId { role, index: (code & 0xffff) as u16 })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_count_from_one() {
        for role in Role::ACTORS {
            for index in [0, 1, 9, 127] {
                let id = ActorId::new(role, index);
                assert_eq!(ActorId::parse(&id.to_string()), Some(id));
                assert_eq!(ActorId::from_uid(id.uid()), Some(id));
            }
        }
        assert_eq!(ActorId::new(Role::Css, 0).to_string(), "css1");
        assert_eq!(ActorId::new(Role::Css, 0).label(), "CSS 1");
        for bad in ["", "css", "css0", "css-1", "xyz1", "cs1", "css99999999"] {
            assert_eq!(ActorId::parse(bad), None, "{bad}");
        }
    }
}
