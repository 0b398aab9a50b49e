//! Random names in the forms that clients know.

use rand::{CryptoRng, RngExt};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Letters and digits, each of the 62 as likely. 24 of them hold 142 bits.
pub fn base62(length: usize) -> String {
    base62_from(length, &mut rand::rng())
}

/// The same from a generator of the caller's.
pub fn base62_from(length: usize, rng: &mut (impl CryptoRng + ?Sized)) -> String {
    (0..length)
        .map(|_| char::from(BASE62[rng.random_range(0..BASE62.len())]))
        .collect()
}

/// Digits and letters a to f.
pub fn hex8() -> String {
    format!("{:08x}", rand::random::<u32>())
}

/// A new service token: `hvs.` and 24 letters and digits.
pub fn service_token() -> crate::secret::Token {
    crate::secret::Token::new(format!("hvs.{}", base62(24)))
}
