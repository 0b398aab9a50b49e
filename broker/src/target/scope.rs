//! Whose leases ours are on a target, and how that is proved there.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::secret::Password;

/// A store as targets know it.
#[derive(Clone, Debug)]
pub struct Scope {
    name: String,
    secret: Password,
}

impl Scope {
    /// The store's installation id, and the secret that its keys come from.
    pub fn new(name: String, secret: Password) -> Scope {
        Scope { name, secret }
    }

    /// What the store's leases are under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is shown to `leasehold.register_scope` at one installation. Each has its own: whoever reads the log of one server,
    /// or has set one up to be shown a key, can not end the leases of others with it.
    pub(super) fn key_at(&self, installation: Uuid) -> Password {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.secret.expose().as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(installation.as_bytes());
        Password::new(hex::encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_of_store_and_installation() {
        let scope = |secret: &str| Scope::new("store".into(), Password::new(secret));
        let [here, there] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let key = |scope: &Scope, at| scope.key_at(at).expose().to_owned();
        assert_eq!(key(&scope("a"), here), key(&scope("a"), here));
        assert_ne!(key(&scope("a"), here), key(&scope("a"), there));
        assert_ne!(key(&scope("a"), here), key(&scope("b"), here));
    }
}
