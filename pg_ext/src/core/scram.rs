//! SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677) in the form that PostgreSQL keeps:
//! `SCRAM-SHA-256$ITERATIONS:SALT$STORED_KEY:SERVER_KEY`, the last three in base64.

use crate::core::error::Fault;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The fewest rounds that common clients accept, and the server's own number.
pub const ITERATIONS_MIN: u32 = 4_096;
/// How many bytes of salt the server uses.
pub const SALT_BYTES: usize = 16;

/// A text that is a verifier. It opens nothing, but it is nobody's business: no Display, and Debug is its name.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier(Zeroizing<String>);

impl Verifier {
    /// Reads a verifier that a caller brought. The text is not repeated in the error.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        match rounds(text) {
            None => Err(Fault::argument(
                "the verifier is not a SCRAM-SHA-256 verifier",
                "Give SCRAM-SHA-256$iterations:salt$storedkey:serverkey; a password itself never goes to the server.",
            )),
            Some(rounds) if rounds < ITERATIONS_MIN => Err(Fault::argument(
                format!("the verifier has {rounds} iterations"),
                "Use the number of the server (4096), or its logins can be told from others and some clients refuse them.",
            )),
            Some(_) => Ok(Self(Zeroizing::new(text.to_owned()))),
        }
    }

    /// Derives the verifier of a password of plain ASCII.
    pub fn derive(password: &str, salt: &[u8; SALT_BYTES], iterations: u32) -> Self {
        let salted: Zeroizing<[u8; 32]> = Zeroizing::new(
            pbkdf2::pbkdf2_array::<Hmac<Sha256>, 32>(password.as_bytes(), salt, iterations)
                .expect("HMAC takes keys of any length"),
        );
        let client_key = Zeroizing::new(mac(&salted[..], b"Client Key"));
        let stored_key = Sha256::digest(&client_key[..]);
        let server_key = mac(&salted[..], b"Server Key");
        Self(Zeroizing::new(format!(
            "SCRAM-SHA-256${iterations}:{}${}:{}",
            BASE64_STANDARD.encode(salt),
            BASE64_STANDARD.encode(stored_key),
            BASE64_STANDARD.encode(server_key)
        )))
    }

    /// The text, for `pg_authid` and for statements that say `{{password}}`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier")
    }
}

/// The number of rounds, if the text is a verifier to the letter (as the server's own parser sees it).
fn rounds(text: &str) -> Option<u32> {
    let rest = text.strip_prefix("SCRAM-SHA-256$")?;
    let (head, keys) = rest.split_once('$')?;
    let (rounds, salt) = head.split_once(':')?;
    let (stored, server) = keys.split_once(':')?;
    let long = |text: &str, bytes: usize| {
        BASE64_STANDARD
            .decode(text)
            .is_ok_and(|decoded| decoded.len() == bytes)
    };
    let salted = BASE64_STANDARD
        .decode(salt)
        .is_ok_and(|salt| !salt.is_empty());
    // A sign or a leading zero would be a second spelling.
    let plain = !rounds.starts_with('0') && rounds.bytes().all(|c| c.is_ascii_digit());
    let count: u32 = rounds.parse().ok()?;
    (plain && salted && count <= i32::MAX as u32 && long(stored, 32) && long(server, 32))
        .then_some(count)
}

fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    // The exchange of RFC 7677, section 3, as the server keeps it.
    const PENCIL: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

    #[test]
    fn a_known_answer() {
        let salt: [u8; SALT_BYTES] = BASE64_STANDARD
            .decode("W22ZaJ0SNY7soEsUEjb6gQ==")
            .expect("it is base64")
            .try_into()
            .expect("it is 16 bytes");
        assert_eq!(Verifier::derive("pencil", &salt, 4096).as_str(), PENCIL);
    }

    #[test]
    fn what_is_a_verifier() {
        let check =
            |text: &str, expect: bool| assert_eq!(Verifier::parse(text).is_ok(), expect, "{text}");
        check(PENCIL, true);
        check(&PENCIL.replace("4096", "4095"), false);
        check(&PENCIL.replace("4096", "04096"), false);
        check(&PENCIL.replace("4096", "+4096"), false);
        check(&PENCIL.replace("4096", "15000"), true);
        check(&PENCIL.replace("4096", "99999999999"), false);
        check(&PENCIL.replace("SHA-256$", "SHA-1$"), false);
        check(&PENCIL.replace("W22ZaJ0SNY7soEsUEjb6gQ==", ""), false);
        check(&format!("{PENCIL} "), false);
        check(&PENCIL[..PENCIL.len() - 4], false);
        check("pencil", false);
        check("md5c4ca4238a0b923820dcc509a6f75849b", false);
        check("", false);
    }

    #[test]
    fn nobody_prints_it() {
        assert_eq!(format!("{:?}", Verifier::parse(PENCIL)), "Ok(Verifier)");
    }

    proptest! {
        #[test]
        fn what_is_derived_is_a_verifier(password in "[0-9A-Za-z]{1,40}", salt in any::<[u8; SALT_BYTES]>()) {
            let made = Verifier::derive(&password, &salt, 2);
            assert_eq!(rounds(made.as_str()), Some(2));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,120}") {
            let _ = Verifier::parse(&text);
        }
    }
}
