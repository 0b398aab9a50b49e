//! SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677) in the form PostgreSQL keeps them
//! (its documentation, "SCRAM-SHA-256 Authentication" and `pg_authid`).
//!
//! A verifier lets its holder check a password and does not let anyone log in; it is what crosses
//! the seam in the password's place. No exchange is spoken here.

mod chains;
mod lanes;
mod words;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::secret::{Password, Verifier};

/// PostgreSQL's own default, and the least that drivers accept.
pub const ITERATIONS_MIN: u32 = 4_096;
/// The length of a salt, as PostgreSQL makes them.
pub const SALT_BYTES: usize = 16;
/// A salt.
type Salt = [u8; SALT_BYTES];
/// A derived key.
type Key = [u8; 32];
/// The bytes of one block of SHA-256.
const BLOCK: usize = 64;

/// Derives `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. Fewer iterations than
/// [`ITERATIONS_MIN`] are raised to it. The salt must be fresh and random.
pub fn verifier(password: &Password, salt: [u8; SALT_BYTES], iterations: u32) -> Verifier {
    let iterations = iterations.max(ITERATIONS_MIN);
    let normal = normal(password);
    let key = match chains::derive(&[&normal], &[salt], iterations, at_once) {
        Some([key]) => key,
        None => pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(&normal, &salt, iterations),
    };
    finish(&Zeroizing::new(key), salt, iterations)
}

/// How many are best derived at once on this processor.
pub fn batch() -> usize {
    if lanes::available() {
        lanes::LANES
    } else if chains::available() {
        chains::CHAINS
    } else {
        1
    }
}

/// What is done after each piece of a derivation, a tenth of a millisecond or two.
pub type Rest = fn();

/// No rest.
pub fn at_once() {}

/// The same for any number of passwords, side by side where the processor can.
pub fn verifiers(
    passwords: &[Password],
    salts: &[Salt],
    iterations: u32,
    rest: Rest,
) -> Vec<Verifier> {
    let iterations = iterations.max(ITERATIONS_MIN);
    let mut made = Vec::with_capacity(passwords.len());
    while let (Some(password), Some(salt)) = (passwords.get(made.len()), salts.get(made.len())) {
        let left = (&passwords[made.len()..], &salts[made.len()..]);
        let batch = together(left, lanes::derive, iterations, rest)
            .or_else(|| together(left, chains::derive::<{ chains::CHAINS }>, iterations, rest))
            .unwrap_or_else(|| vec![verifier(password, *salt, iterations)]);
        made.extend(batch);
        rest();
    }
    made
}

/// Derives so many keys at once: bytes of passwords, salts, iterations. None: this processor can not.
type Derive<const N: usize> = fn(&[&[u8]; N], &[Salt; N], u32, Rest) -> Option<[Key; N]>;

/// The first so many, if there are as many and the processor can.
fn together<const N: usize>(
    (passwords, salts): (&[Password], &[Salt]),
    derive: Derive<N>,
    iterations: u32,
    rest: Rest,
) -> Option<Vec<Verifier>> {
    let (passwords, salts) = (passwords.first_chunk::<N>()?, salts.first_chunk::<N>()?);
    let normals = passwords.each_ref().map(normal);
    let normals = normals.each_ref().map(|n| n.as_slice());
    let keys = derive(&normals, salts, iterations, rest)?;
    let keys = Zeroizing::new(keys);
    let finish = |(key, salt): (&Key, &Salt)| finish(key, *salt, iterations);
    Some(keys.iter().zip(salts).map(finish).collect())
}

/// What is hashed of a password. PostgreSQL takes the bytes as they are where they can not be normalised, and so must we.
fn normal(password: &Password) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(match stringprep::saslprep(password.expose()) {
        Ok(text) => text.as_bytes().to_vec(),
        Err(_) => password.expose().as_bytes().to_vec(),
    })
}

/// From the salted password to the text.
fn finish(salted: &[u8; 32], salt: [u8; SALT_BYTES], iterations: u32) -> Verifier {
    let client_key = Zeroizing::new(keyed_hash(salted, b"Client Key"));
    let stored_key = Sha256::digest(*client_key);
    let server_key = keyed_hash(salted, b"Server Key");
    Verifier::new(format!(
        "SCRAM-SHA-256${iterations}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored_key),
        STANDARD.encode(server_key),
    ))
}

fn keyed_hash(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    hmac.update(text);
    hmac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str, salt: &str, iterations: u32, expect: &str) {
        let salt = STANDARD.decode(salt).unwrap().try_into().unwrap();
        assert_eq!(
            verifier(&Password::new(password), salt, iterations).expose(),
            expect
        );
    }

    /// The exchange of RFC 7677, section 3: its proof and signature follow from these keys.
    #[test]
    fn known_answer_of_rfc_7677() {
        let salt: [u8; SALT_BYTES] = STANDARD
            .decode("W22ZaJ0SNY7soEsUEjb6gQ==")
            .unwrap()
            .try_into()
            .unwrap();
        let made = verifier(&Password::new("pencil"), salt, 4096);
        let (_, keys) = made.expose().rsplit_once('$').unwrap();
        let (stored, server) = keys.split_once(':').unwrap();
        let auth_message = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
            r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
            c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let server_signature =
            keyed_hash(&STANDARD.decode(server).unwrap(), auth_message.as_bytes());
        assert_eq!(
            STANDARD.encode(server_signature),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
        let proof = STANDARD
            .decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
            .unwrap();
        let client_signature =
            keyed_hash(&STANDARD.decode(stored).unwrap(), auth_message.as_bytes());
        let client_key: Vec<u8> = proof
            .iter()
            .zip(client_signature)
            .map(|(a, b)| a ^ b)
            .collect();
        assert_eq!(STANDARD.encode(Sha256::digest(client_key)), stored);
    }

    #[test]
    fn known_answers_of_postgresql() {
        KNOWN
            .iter()
            .for_each(|(password, salt, iterations, expect)| {
                check(password, salt, *iterations, expect)
            });
    }

    /// Made by a PostgreSQL 15 server: password, salt, iterations, what `pg_authid` then held.
    const KNOWN: [(&str, &str, u32, &str); 3] = [
        (
            "pencil",
            "GtzTfemMAu4O6sgGeuBwQQ==",
            4096,
            "SCRAM-SHA-256$4096:GtzTfemMAu4O6sgGeuBwQQ==$EUbcS6gQ9U+hmvgD7ITOxTUI4dE3jdbiWgvbEYobcRI=:cqMAaCblK1NciXxxp7RCVFrU1yK7DKo9Sc7eNxFQPkk=",
        ),
        (
            "Kx-3e",
            "N2UwS6Anm2qe+W1VOPz9TA==",
            4096,
            "SCRAM-SHA-256$4096:N2UwS6Anm2qe+W1VOPz9TA==$7cKoegxTjRSz7ZzhYoB77PLatrgja5p+6mjryLPOjFo=:n7pJaBLIEKRrkLXwVzAPfu0e671kG4eJStWpBDkRngo=",
        ),
        (
            "pässwörd-ﬀ",
            "73NH4/lO4rYuPFkpS6HmBg==",
            4096,
            "SCRAM-SHA-256$4096:73NH4/lO4rYuPFkpS6HmBg==$6tKvGn2Xv9oUGMHs2kvPV8hUg+SxMWMXIB7TJgQ3su4=:Uf/blkQpjxK+wGZE6AaSK9M7c26bl+wQ+w8FyJUeEnc=",
        ),
    ];

    #[test]
    fn every_way_to_a_key_leads_to_the_same() {
        for length in [0, 1, 20, 63, 64] {
            let password = vec![b'k'; length];
            let salts = [[1; SALT_BYTES], [2; SALT_BYTES]];
            let expect =
                salts.map(|salt| pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(&password, &salt, 5));
            if let Some(keys) = chains::derive(&[&password, &password], &salts, 5, at_once) {
                assert_eq!(keys, expect, "two chains, {length} bytes");
            }
            if let Some(keys) = chains::derive(&[&password], &[salts[0]], 5, at_once) {
                assert_eq!(keys[0], expect[0], "one chain, {length} bytes");
            }
            if let Some(keys) = lanes::derive(
                &[password.as_slice(); lanes::LANES],
                &[salts[1]; lanes::LANES],
                5,
                at_once,
            ) {
                assert_eq!(keys, [expect[1]; lanes::LANES], "lanes, {length} bytes");
            }
        }
        // Longer than a block: hashed first, which the library does.
        assert!(chains::derive(&[&[0; BLOCK + 1]], &[[0; SALT_BYTES]], 5, at_once).is_none());
    }

    #[test]
    fn few_iterations_are_raised() {
        let made = verifier(&Password::new("x"), [7; SALT_BYTES], 1);
        assert!(made.expose().starts_with("SCRAM-SHA-256$4096:"));
    }

    #[test]
    fn side_by_side_is_as_one_by_one() {
        let passwords: Vec<Password> = (0..37)
            .map(|n| Password::new(format!("pässwörd {n}{}", "x".repeat(n))))
            .collect();
        let salts: Vec<[u8; SALT_BYTES]> = (0..37).map(|n| [n; SALT_BYTES]).collect();
        let made = verifiers(&passwords, &salts, 4096, at_once);
        assert_eq!(made.len(), passwords.len());
        for ((password, salt), made) in passwords.iter().zip(&salts).zip(&made) {
            assert_eq!(made.expose(), verifier(password, *salt, 4096).expose());
        }
    }
}
