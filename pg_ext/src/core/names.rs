//! Names: which may become a login's, how one is made, and what a scope may be called.

use crate::core::error::Fault;

/// PostgreSQL keeps this many bytes of a name.
pub const NAME_BYTES_MAX: usize = 63;
/// The scope of everything that is done from `psql`.
pub const SQL_SCOPE: &str = "sql";

/// How many random bytes [`login`] and [`lease_id`] take.
pub const ENTROPY_BYTES: usize = 24;

/// Refuses what can not be the name of a new login. Whether it is taken is for the catalog to say.
pub fn check_login(name: &str) -> Result<(), Fault> {
    let why = if name.is_empty() {
        "it is empty"
    } else if name.len() > NAME_BYTES_MAX {
        "it is longer than 63 bytes"
    } else if name.starts_with("pg_") {
        "names that begin with pg_ are reserved"
    } else if name == "public" || name == "none" {
        "it is reserved"
    } else if name.chars().any(char::is_control) {
        "it holds a control character"
    } else {
        return Ok(());
    };
    Err(Fault::LoginName {
        login: name.to_owned(),
        why,
    })
}

/// A login's name for a lease of `role`: readable, unique, and free of anything that needs quotes.
pub fn login(role: &str, entropy: &[u8; ENTROPY_BYTES]) -> String {
    let readable: String = role
        .chars()
        .map(|c| match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9') => c,
            _ => '_',
        })
        .take(24)
        .collect();
    format!("lh_{readable}_{}", letters(entropy, LOWER))
}

/// An id for a lease that nobody named: the role's name and a random part, cut by a slash so that it has a prefix.
pub fn lease_id(role: &str, entropy: &[u8; ENTROPY_BYTES]) -> String {
    format!("{role}/{}", letters(entropy, MIXED))
}

/// A password nobody can guess, in letters and digits.
pub fn password(entropy: &[u8; PASSWORD_ENTROPY_BYTES]) -> zeroize::Zeroizing<String> {
    zeroize::Zeroizing::new(letters(entropy, MIXED))
}

/// How many random bytes [`password`] takes: 32 characters of 62, some 190 bits.
pub const PASSWORD_ENTROPY_BYTES: usize = 32;

/// Refuses what can not be the name of a broker's scope.
pub fn check_scope(scope: &str) -> Result<(), Fault> {
    let fine = (1..=200).contains(&scope.len())
        && scope
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-'));
    if fine && scope != SQL_SCOPE {
        return Ok(());
    }
    Err(Fault::argument(
        format!("\"{scope}\" can not be the name of a scope"),
        "Use letters, digits, dot, underscore and hyphen, at most 200; \"sql\" is the scope of psql.",
    ))
}

const LOWER: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz0123456";
const MIXED: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// One letter a byte. With 62 letters the first eight come up a little more often, which costs less than a tenth of
/// a bit in all.
fn letters(entropy: &[u8], alphabet: &[u8]) -> String {
    entropy
        .iter()
        .map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    #[test]
    fn logins_that_can_not_be() {
        let check =
            |name: &str, expect: bool| assert_eq!(check_login(name).is_ok(), expect, "{name:?}");
        check("v-token-readonly-8f3a", true);
        check("x\"; drop role postgres; --", true);
        check("ü".repeat(31).as_str(), true);
        check("ü".repeat(32).as_str(), false);
        check("", false);
        check("pg_monitor", false);
        check("public", false);
        check("none", false);
        check("two\nlines", false);
        check("nul\0", false);
    }

    #[test]
    fn scopes() {
        let check =
            |name: &str, expect: bool| assert_eq!(check_scope(name).is_ok(), expect, "{name:?}");
        check("9a6b7f0e-1111-4222-8333-444455556666", true);
        check("sql", false);
        check("", false);
        check("a b", false);
        check("a/b", false);
        check(&"x".repeat(201), false);
    }

    proptest! {
        #[test]
        fn a_made_name_is_always_allowed(role in "\\PC{0,80}", entropy in any::<[u8; ENTROPY_BYTES]>()) {
            let name = login(&role, &entropy);
            assert!(check_login(&name).is_ok());
            assert!(name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_'));
        }
    }
}
