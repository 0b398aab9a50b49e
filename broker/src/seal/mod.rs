//! The keys of the store, and whether this process holds them.
//!
//! A root key (from Shamir shares, a key file or the environment; never stored here) wraps the keyring: one AEAD key a term, and a token
//! key that never rotates. Sealed or not is a state of each process. Nothing here reads the store or the network.

mod keyring;
mod keys;
mod root_key;
pub mod shamir;
mod unsealing;

pub use keyring::Keyring;
pub use keys::Keys;
pub use root_key::{KeySource, KeySourceError, RootKey};
pub use unsealing::{Progress, Unsealing};
