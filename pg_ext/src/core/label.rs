//! The text of our security labels. Labels are readable by everyone in the cluster, so they carry an
//! installation's random id and an internal number, never a lease id.
//!
//! A database that holds the extension is labelled `UUID`, a login `UUID/NUMBER`, the group that holds the grants of a
//! shared recipe `shared/UUID/NUMBER`, and a group role that is ours for good `group`.

use std::fmt;

/// The security label provider's name.
pub const PROVIDER: &str = "leasehold";

/// The random id of one `CREATE EXTENSION`, kept in the label of its database.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Installation(pub [u8; 16]);

/// What the label of a login says: whose it is, and which lease made it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Mark {
    /// The installation that made the login.
    pub installation: Installation,
    /// The internal number of the lease (never its id).
    pub lease_number: i64,
}

/// What the label of a shared recipe's group says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GroupMark {
    /// The installation that made the group.
    pub installation: Installation,
    /// The internal number of the group.
    pub group_number: i64,
}

impl GroupMark {
    const PREFIX: &str = "shared/";

    /// Reads the label of a group; `None` is a label that is not ours.
    pub fn parse(text: &str) -> Option<Self> {
        let mark = Mark::parse(text.strip_prefix(Self::PREFIX)?)?;
        Some(Self {
            installation: mark.installation,
            group_number: mark.lease_number,
        })
    }
}

impl Installation {
    /// Reads the canonical form of a UUID (lower case, with hyphens); anything else is not ours.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 36 {
            return None;
        }
        let mut bytes = [0_u8; 16];
        let mut digits = 0;
        for (at, c) in text.bytes().enumerate() {
            if matches!(at, 8 | 13 | 18 | 23) {
                if c != b'-' {
                    return None;
                }
                continue;
            }
            let value = match c {
                b'0'..=b'9' => c - b'0',
                b'a'..=b'f' => c - b'a' + 10,
                _ => return None,
            };
            bytes[digits / 2] = bytes[digits / 2] << 4 | value;
            digits += 1;
        }
        Some(Self(bytes))
    }
}

impl Mark {
    /// Reads the label of a login; `None` is a label that is not ours.
    pub fn parse(text: &str) -> Option<Self> {
        let (installation, number) = text.split_once('/')?;
        let lease_number: i64 = number.parse().ok()?;
        // One lease, one text: `+7` and `007` would be second spellings of 7.
        if lease_number <= 0 || lease_number.to_string() != number {
            return None;
        }
        Some(Self {
            installation: Installation::parse(installation)?,
            lease_number,
        })
    }
}

impl fmt::Display for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Display for GroupMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}/{}",
            Self::PREFIX,
            self.installation,
            self.group_number
        )
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.installation, self.lease_number)
    }
}

#[cfg(test)]
mod tests {
    use super::{GroupMark, Installation, Mark};
    use proptest::prelude::{any, proptest};

    fn check(input: &str, expect: Option<i64>) {
        assert_eq!(
            Mark::parse(input).map(|mark| mark.lease_number),
            expect,
            "{input}"
        );
    }

    #[test]
    fn only_our_own_spelling_is_ours() {
        let id = "0123abcd-0123-4567-89ab-0123456789ab";
        check(&format!("{id}/7"), Some(7));
        check(&format!("{id}/9223372036854775807"), Some(i64::MAX));
        check(&format!("{id}/07"), None);
        check(&format!("{id}/+7"), None);
        check(&format!("{id}/0"), None);
        check(&format!("{id}/-1"), None);
        check(&format!("{id}/"), None);
        check(&format!("{id}/7/8"), None);
        check(id, None);
        check(&format!("{}/7", id.to_uppercase()), None);
        check(&format!("{}/7", id.replace('-', "")), None);
        check("group", None);
        check("", None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes in any::<[u8; 16]>(), number in 1_i64..) {
            let mark = Mark { installation: Installation(bytes), lease_number: number };
            assert_eq!(Mark::parse(&mark.to_string()), Some(mark));
            assert_eq!(Installation::parse(&mark.installation.to_string()), Some(mark.installation));
            let group = GroupMark { installation: mark.installation, group_number: number };
            assert_eq!(GroupMark::parse(&group.to_string()), Some(group));
            assert_eq!(Mark::parse(&group.to_string()), None);
            assert_eq!(GroupMark::parse(&mark.to_string()), None);
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,60}") {
            let _ = Mark::parse(&text);
        }
    }
}
