//! The root key, and where it comes from.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;
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
                match write_file(path, &key)? {
                    true => Ok(Some(key)),
                    // Another broker on the same folder was faster.
                    false => self.fetch(),
                }
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

/// Makes a key file, whole and on the disk, or none: what a crash leaves of one under this name would be taken for the key of
/// a store. False: there is a file of this name, which stays as it is.
fn write_file(path: &Path, key: &RootKey) -> Result<bool, KeySourceError> {
    publish(path, key).map_err(|source| KeySourceError::File {
        path: path.to_owned(),
        what: "written",
        source,
    })
}

fn publish(path: &Path, key: &RootKey) -> io::Result<bool> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut name = path
        .file_name()
        .ok_or(io::ErrorKind::InvalidInput)?
        .to_owned();
    // A name of its own each time: what a crash leaves behind is in nobody's way.
    name.push(format!(".{}", Uuid::new_v4()));
    let beside = folder.join(name);
    let published = write(&beside, key).and_then(|()| match std::fs::hard_link(&beside, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    });
    // After a failure it may not be there.
    let removed = std::fs::remove_file(&beside);
    let published = published?;
    removed?;
    File::open(folder)?.sync_all()?;
    Ok(published)
}

fn write(path: &Path, key: &RootKey) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let text = Zeroizing::new(hex::encode(key.expose()));
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary_folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("leasehold-root-key-{}", Uuid::new_v4()));
        std::fs::create_dir(&folder).expect("temporary folder");
        folder
    }

    #[test]
    fn a_key_file_is_published_whole_and_never_replaced() {
        use std::os::unix::fs::PermissionsExt;
        let folder = temporary_folder();
        let path = folder.join("key");
        // What a broker has left that died while it wrote one.
        std::fs::write(folder.join("key.half"), "a5").expect("a leftover");
        let (first, second) = (RootKey::random(), RootKey::random());
        assert!(write_file(&path, &first).expect("written"));
        assert!(!write_file(&path, &second).expect("there is one"));
        let kept = read_file(&path).expect("a whole key");
        assert_eq!(kept.expose(), first.expose());
        let mode = std::fs::metadata(&path)
            .expect("metadata")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut names: Vec<_> = std::fs::read_dir(&folder)
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["key", "key.half"], "nothing is left beside it");
        // A file that holds something else is somebody's: it is not touched.
        std::fs::write(&path, "a5").expect("overwritten");
        assert!(!write_file(&path, &second).expect("there is one"));
        assert_eq!(std::fs::read_to_string(&path).expect("text"), "a5");
        assert!(write_file(&folder.join("none/key"), &second).is_err());
        std::fs::remove_dir_all(&folder).expect("clean up");
    }

    #[test]
    fn a_key_file_is_made_once_and_read_again() {
        let folder = temporary_folder();
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
