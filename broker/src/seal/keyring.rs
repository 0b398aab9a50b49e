//! The keyring: AEAD keys by term, and the token key. Pure; randomness is an argument.

use std::collections::BTreeMap;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, Key, KeyInit, Nonce};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::RootKey;
use crate::secret::Token;

/// A key of 256 bits.
pub type Key256 = Zeroizing<[u8; 32]>;

const NONCE_BYTES: usize = 12;
/// First byte of every sealed value, so that another construction can come later.
const FORM: u8 = 1;

/// A sealed value can not be opened: another key, another place, or damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Too short, or of a form this version does not know.
    #[error("not a sealed value")]
    Form,
    /// The keyring has no key of that term.
    #[error("sealed under key term {0}, which this keyring does not have")]
    Term(u32),
    /// The check failed.
    #[error("sealed under another key or for another row, or damaged")]
    Check,
}

/// All keys of a store.
pub struct Keyring {
    terms: BTreeMap<u32, Key256>,
    token_key: Key256,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Written {
    terms: Vec<(u32, [u8; 32])>,
    token_key: [u8; 32],
}

impl Keyring {
    /// A new keyring, term 1.
    pub fn new(aead_key: Key256, token_key: Key256) -> Self {
        Keyring {
            terms: BTreeMap::from([(1, aead_key)]),
            token_key,
        }
    }

    /// The term new values are sealed under.
    pub fn term(&self) -> u32 {
        self.terms.last_key_value().map_or(0, |(term, _)| *term)
    }

    /// Seals a value of one row of one table: `form, term, nonce, ciphertext`, bound to term, table and row.
    pub fn seal(
        &self,
        table: &str,
        row: &[u8],
        plaintext: &[u8],
        nonce: [u8; NONCE_BYTES],
    ) -> Vec<u8> {
        let (term, key) = self
            .terms
            .last_key_value()
            .expect("a keyring is never without a key");
        let mut sealed = vec![FORM];
        sealed.extend_from_slice(&term.to_be_bytes());
        sealed.extend_from_slice(&encrypt(key, &bound(*term, table, row), plaintext, nonce));
        sealed
    }

    /// Opens what [`Keyring::seal`] made for the same table and row.
    pub fn open(
        &self,
        table: &str,
        row: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (form, rest) = sealed.split_first().ok_or(OpenError::Form)?;
        let (term, rest) = rest.split_first_chunk::<4>().ok_or(OpenError::Form)?;
        if *form != FORM {
            return Err(OpenError::Form);
        }
        let term = u32::from_be_bytes(*term);
        let key = self.terms.get(&term).ok_or(OpenError::Term(term))?;
        decrypt(key, &bound(term, table, row), rest)
    }

    /// HMAC-SHA256 under the token key, for one purpose.
    pub fn mac(&self, purpose: &str, text: &[u8]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&self.token_key[..])
            .expect("HMAC takes keys of any length");
        mac.update(&(purpose.len() as u64).to_be_bytes());
        mac.update(purpose.as_bytes());
        mac.update(text);
        mac.finalize().into_bytes().into()
    }

    /// What stands for a token in the store.
    pub fn mac_of_token(&self, token: &Token) -> [u8; 32] {
        self.mac("token", token.expose().as_bytes())
    }

    /// The keyring under the root key, bound to the store.
    pub fn wrap(&self, root_key: &RootKey, store: &[u8], nonce: [u8; NONCE_BYTES]) -> Vec<u8> {
        let written = Written {
            terms: self
                .terms
                .iter()
                .map(|(term, key)| (*term, **key))
                .collect(),
            token_key: *self.token_key,
        };
        let text = Zeroizing::new(serde_json::to_vec(&written).expect("numbers are always JSON"));
        encrypt(
            root_key.key(),
            &bound(0, "installation.sealed_keyring", store),
            &text,
            nonce,
        )
    }

    /// Undoes [`Keyring::wrap`].
    pub fn unwrap(root_key: &RootKey, store: &[u8], wrapped: &[u8]) -> Result<Self, OpenError> {
        let text = decrypt(
            root_key.key(),
            &bound(0, "installation.sealed_keyring", store),
            wrapped,
        )?;
        let written: Written = serde_json::from_slice(&text).map_err(|_| OpenError::Form)?;
        if written.terms.is_empty() {
            return Err(OpenError::Form);
        }
        Ok(Keyring {
            terms: written
                .terms
                .iter()
                .map(|(term, key)| (*term, Zeroizing::new(*key)))
                .collect(),
            token_key: Zeroizing::new(written.token_key),
        })
    }
}

/// Associated data: unambiguous, as the lengths stand before the parts.
fn bound(term: u32, table: &str, row: &[u8]) -> Vec<u8> {
    let mut bound = term.to_be_bytes().to_vec();
    bound.extend_from_slice(&(table.len() as u64).to_be_bytes());
    bound.extend_from_slice(table.as_bytes());
    bound.extend_from_slice(row);
    bound
}

fn encrypt(key: &Key256, bound: &[u8], plaintext: &[u8], nonce: [u8; NONCE_BYTES]) -> Vec<u8> {
    let cipher = Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(&key[..]));
    let payload = Payload {
        msg: plaintext,
        aad: bound,
    };
    let text = cipher
        .encrypt(Nonce::from_slice(&nonce), payload)
        .expect("AES-GCM refuses only texts of 64 GiB and more");
    let mut sealed = nonce.to_vec();
    sealed.extend_from_slice(&text);
    sealed
}

fn decrypt(key: &Key256, bound: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (nonce, text) = sealed
        .split_first_chunk::<NONCE_BYTES>()
        .ok_or(OpenError::Form)?;
    let cipher = Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(&key[..]));
    let payload = Payload {
        msg: text,
        aad: bound,
    };
    cipher
        .decrypt(Nonce::from_slice(nonce), payload)
        .map(Zeroizing::new)
        .map_err(|_| OpenError::Check)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(seed: u8) -> Keyring {
        Keyring::new(Zeroizing::new([seed; 32]), Zeroizing::new([seed + 1; 32]))
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_own_place() {
        let keys = keyring(7);
        let sealed = keys.seal("configs", b"row 1", b"secret", [3; 12]);
        assert_eq!(
            keys.open("configs", b"row 1", &sealed).expect("own place")[..],
            b"secret"[..]
        );
        assert_eq!(
            keys.open("configs", b"row 2", &sealed),
            Err(OpenError::Check)
        );
        assert_eq!(
            keys.open("config", b"srow 1", &sealed),
            Err(OpenError::Check)
        );
        assert_eq!(
            keyring(8).open("configs", b"row 1", &sealed),
            Err(OpenError::Check)
        );
        let mut other_term = sealed.clone();
        other_term[4] = 9;
        assert_eq!(
            keys.open("configs", b"row 1", &other_term),
            Err(OpenError::Term(9))
        );
        for cut in 0..sealed.len() {
            assert!(
                keys.open("configs", b"row 1", &sealed[..cut]).is_err(),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_keyring_comes_back_only_under_its_root_key_and_for_its_store() {
        let root = RootKey::from_bytes(&[1; 32]).expect("32 bytes");
        let other_root = RootKey::from_bytes(&[2; 32]).expect("32 bytes");
        let keys = keyring(7);
        let wrapped = keys.wrap(&root, b"store", [0; 12]);
        let again = Keyring::unwrap(&root, b"store", &wrapped).expect("same key, same store");
        assert_eq!(again.mac("token", b"t"), keys.mac("token", b"t"));
        assert_eq!(again.term(), 1);
        assert!(Keyring::unwrap(&root, b"other", &wrapped).is_err());
        assert!(Keyring::unwrap(&other_root, b"store", &wrapped).is_err());
    }

    #[test]
    fn macs_of_two_purposes_differ() {
        let keys = keyring(7);
        assert_ne!(keys.mac("a", b"bc"), keys.mac("ab", b"c"));
    }
}
