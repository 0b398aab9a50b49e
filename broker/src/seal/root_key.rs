//! The root key, and where it comes from.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, Zeroizing};

use super::keyring::Key256;

/// Where a process gets the root key.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum KeySource {
    /// From operators, share by share (`sys/unseal`).
    #[default]
    Shares,
    /// From a file that only its owner reads: 32 bytes as hex. Made at initialisation if it is not there.
    File(PathBuf),
    /// From an environment variable: 32 bytes as hex or base64.
    Environment(String),
}

/// The root key can not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeySourceError {
    /// The file.
    #[error("the key file {path} can not be {what}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// `read` or `written`.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The variable.
    #[error("the environment variable {0} that should hold the root key is not set")]
    Unset(String),
    /// Its content.
    #[error(
        "{0} does not hold a root key: 32 bytes as 64 hexadecimal digits (or base64) are wanted"
    )]
    Content(String),
}

/// 256 bits that open the keyring.
#[derive(Clone)]
pub struct RootKey(pub(super) Key256);

impl RootKey {
    /// A new one from the system's randomness.
    pub fn random() -> Self {
        RootKey(Zeroizing::new(rand::random()))
    }

    /// From the bytes that shares gave.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let key: [u8; 32] = bytes.try_into().ok()?;
        Some(RootKey(Zeroizing::new(key)))
    }

    /// For splitting.
    pub fn expose(&self) -> &[u8] {
        &self.0[..]
    }

    pub(super) fn key(&self) -> &Key256 {
        &self.0
    }

    fn from_text(text: &str) -> Option<Self> {
        let text = text.trim();
        let bytes = Zeroizing::new(hex::decode(text).or_else(|_| STANDARD.decode(text)).ok()?);
        Self::from_bytes(&bytes)
    }
}

impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RootKey")
    }
}

impl KeySource {
    /// What seal-status calls it.
    pub fn seal_type(&self) -> &'static str {
        match self {
            KeySource::Shares => "shamir",
            KeySource::File(_) => "file",
            KeySource::Environment(_) => "environment",
        }
    }

    /// The root key, if this source gives one by itself.
    pub fn fetch(&self) -> Result<Option<RootKey>, KeySourceError> {
        match self {
            KeySource::Shares => Ok(None),
            KeySource::File(path) => read_file(path).map(Some),
            KeySource::Environment(name) => {
                let mut text =
                    std::env::var(name).map_err(|_| KeySourceError::Unset(name.clone()))?;
                let key =
                    RootKey::from_text(&text).ok_or_else(|| KeySourceError::Content(name.clone()));
                text.zeroize();
                key.map(Some)
            }
        }
    }

    /// The root key for a new store: as [`KeySource::fetch`], but a key file that is not there is made.
    pub fn fetch_or_make(&self) -> Result<Option<RootKey>, KeySourceError> {
        match self {
            KeySource::File(path) if !path.exists() => {
                let key = RootKey::random();
                write_file(path, &key)?;
                Ok(Some(key))
            }
            _ => self.fetch(),
        }
    }
}

fn read_file(path: &Path) -> Result<RootKey, KeySourceError> {
    let text = std::fs::read_to_string(path).map_err(|source| KeySourceError::File {
        path: path.to_owned(),
        what: "read",
        source,
    })?;
    let text = Zeroizing::new(text);
    RootKey::from_text(&text).ok_or_else(|| KeySourceError::Content(path.display().to_string()))
}

fn write_file(path: &Path, key: &RootKey) -> Result<(), KeySourceError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let write = || {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        let text = Zeroizing::new(hex::encode(key.expose()));
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    };
    write().map_err(|source| KeySourceError::File {
        path: path.to_owned(),
        what: "written",
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_made_once_and_read_again() {
        let folder =
            std::env::temp_dir().join(format!("leasehold-root-key-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).expect("temporary folder");
        let source = KeySource::File(folder.join("key"));
        assert!(source.fetch().is_err());
        let made = source
            .fetch_or_make()
            .expect("made")
            .expect("a file gives a key");
        let read = source
            .fetch_or_make()
            .expect("read")
            .expect("a file gives a key");
        assert_eq!(made.expose(), read.expose());
        std::fs::remove_dir_all(&folder).expect("clean up");
    }

    #[test]
    fn hex_and_base64_are_the_same_key() {
        let bytes = [0xa5; 32];
        for text in [
            hex::encode(bytes),
            STANDARD.encode(bytes),
            format!("{}\n", hex::encode(bytes)),
        ] {
            assert_eq!(RootKey::from_text(&text).expect("a key").expose(), bytes);
        }
        assert!(RootKey::from_text("a5a5").is_none());
        assert!(RootKey::from_text("").is_none());
    }
}
