//! The keyring as the process holds it, while it is unsealed.

use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::Keyring;
use super::keyring::OpenError;
use crate::logical::Fault;
use crate::secret::Token;

/// Empty while sealed. Every use answers 503 `Vault is sealed` then.
#[derive(Default)]
pub struct Keys {
    state: RwLock<State>,
}

#[derive(Default)]
enum State {
    /// This process has had no keys yet.
    #[default]
    New,
    Unsealed(Arc<Keyring>),
    /// It has given them up, and takes new ones only from whoever asks it to.
    Sealed,
}

/// What HMACs under the token key are for.
const SCOPE: &str = "scope";
const BATCH: &str = "batch token";

impl Keys {
    /// Whether this process has no keys.
    pub fn is_sealed(&self) -> bool {
        !matches!(*self.read(), State::Unsealed(_))
    }

    /// Whether this process has never had keys. Sealed on request, it is new no more.
    pub fn is_new(&self) -> bool {
        matches!(*self.read(), State::New)
    }

    /// Takes the keys over: unsealed.
    pub fn install(&self, keyring: Keyring) {
        *self.write() = State::Unsealed(Arc::new(keyring));
    }

    /// As [`Keys::install`], but only into a process that has never had keys, whoever is about to seal it; false: it has.
    pub fn install_first(&self, keyring: Keyring) -> bool {
        let mut state = self.write();
        if !matches!(*state, State::New) {
            return false;
        }
        *state = State::Unsealed(Arc::new(keyring));
        true
    }

    /// Gives the keys up: sealed. What is in flight may finish with the keys it has.
    pub fn forget(&self) {
        *self.write() = State::Sealed;
    }

    /// The term new values are sealed under.
    pub fn term(&self) -> Result<u32, Fault> {
        Ok(self.keyring()?.term())
    }

    /// Seals a value for one row of one table (`"database_configs"`, the primary key's bytes).
    pub fn seal(&self, table: &str, row: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Fault> {
        Ok(self.keyring()?.seal(table, row, plaintext, rand::random()))
    }

    /// Opens what [`Keys::seal`] made for the same table and row.
    pub fn open(
        &self,
        table: &str,
        row: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        self.keyring()?.open(table, row, sealed).map_err(|error| {
            Fault::internal(format!("a value of {table} can not be opened: {error}"))
        })
    }

    /// What stands for a service token in the store: 32 bytes that do not lead back to it.
    pub fn token_hash(&self, token: &Token) -> Result<Vec<u8>, Fault> {
        Ok(self.keyring()?.mac_of_token(token).to_vec())
    }

    /// What the keys come from that this store shows to `leasehold.register_scope`: the same on every broker of the store,
    /// shown to nobody itself.
    pub fn scope_secret(&self) -> Result<Zeroizing<String>, Fault> {
        Ok(Zeroizing::new(hex::encode(self.keyring()?.mac(SCOPE, b""))))
    }

    /// The text of a batch token that carries this: url-safe base64 of the sealed claims, without the `hvb.`.
    pub fn seal_batch(&self, claims: &[u8]) -> Result<Zeroizing<String>, Fault> {
        let sealed = self.keyring()?.seal(BATCH, b"", claims, rand::random());
        Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// The claims of a batch token's text; None if it is none of ours.
    pub fn open_batch(&self, text: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
        let keyring = self.keyring()?;
        let Ok(sealed) = URL_SAFE_NO_PAD.decode(text) else {
            return Ok(None);
        };
        match keyring.open(BATCH, b"", &sealed) {
            Ok(claims) => Ok(Some(claims)),
            Err(OpenError::Form | OpenError::Term(_) | OpenError::Check) => Ok(None),
        }
    }

    fn keyring(&self) -> Result<Arc<Keyring>, Fault> {
        match &*self.read() {
            State::Unsealed(keyring) => Ok(keyring.clone()),
            State::New | State::Sealed => Err(Fault::sealed()),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state
            .read()
            .unwrap_or_else(|broken| broken.into_inner())
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state
            .write()
            .unwrap_or_else(|broken| broken.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_new_process_takes_keys_that_nobody_gave_it() {
        let keyring = || Keyring::new(Zeroizing::new([1; 32]), Zeroizing::new([2; 32]));
        let keys = Keys::default();
        assert!(keys.is_sealed() && keys.is_new());
        assert!(keys.install_first(keyring()));
        assert!(!keys.is_sealed() && !keys.is_new());
        keys.forget();
        assert!(keys.is_sealed() && !keys.is_new());
        assert!(!keys.install_first(keyring()));
        assert!(keys.is_sealed());
        keys.install(keyring());
        assert!(!keys.is_sealed());
    }
}
