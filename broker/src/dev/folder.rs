//! Where the embedded mode keeps things: a folder that goes away with it, and, with `-data`, one that stays.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::account::Account;
use crate::secret::{Password, Token};

/// The places of one run.
#[derive(Debug)]
pub(super) struct Folders {
    trash: Trash,
    /// Key and notes.
    pub(super) kept: PathBuf,
    /// Says that the kept folder is ours; the kernel lets go of it however we end.
    _lock: Option<File>,
}

/// A folder that is removed when this is dropped. The server's keeper does the same once a server has been started.
#[derive(Debug)]
struct Trash(PathBuf);

impl Drop for Trash {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Folders {
    /// Makes them. `data` is the folder of `-data`; an error if another run has it.
    pub(super) fn make(account: &Account, data: Option<&Path>) -> Result<Folders> {
        let trash = std::env::temp_dir().join(format!("leasehold-dev-{}", std::process::id()));
        if trash.exists() {
            // Of an earlier process with our pid, whose keeper was killed too.
            std::fs::remove_dir_all(&trash)
                .with_context(|| format!("removing {}", trash.display()))?;
        }
        let trash = Trash(trash);
        account.make_folder(&trash.0, 0o755)?;
        account.check_reach(&trash.0)?;
        let Some(data) = data else {
            return Ok(Folders {
                kept: trash.0.clone(),
                trash,
                _lock: None,
            });
        };
        if !is_ours_or_empty(data) {
            bail!(
                "{} is neither empty nor a data folder of leasehold dev",
                data.display()
            );
        }
        account.make_folder(data, 0o755)?;
        let kept = std::fs::canonicalize(data).with_context(|| data.display().to_string())?;
        account.check_reach(&kept)?;
        let lock = lock(&kept)?;
        Ok(Folders {
            trash,
            kept,
            _lock: Some(lock),
        })
    }

    /// Private server prefix and, without `-data`, everything else. Goes away at the end.
    pub(super) fn trash(&self) -> &Path {
        &self.trash.0
    }

    /// The server's data folder.
    pub(super) fn postgres(&self) -> PathBuf {
        self.kept.join("postgres")
    }

    /// The server's log.
    pub(super) fn log(&self) -> PathBuf {
        self.kept.join("postgres.log")
    }

    /// The broker's root key.
    pub(super) fn key(&self) -> PathBuf {
        self.kept.join("key")
    }
}

const NOTES: &str = "dev.json";
const LOCK: &str = "lock";

/// A folder that is not there counts as empty. One that has nothing but a lock is of a run that got no further.
fn is_ours_or_empty(data: &Path) -> bool {
    let mut names = data.read_dir().into_iter().flatten().flatten();
    data.join(NOTES).exists() || names.all(|entry| entry.file_name() == LOCK)
}

/// Takes the folder for this process: what an earlier run left in it may then be ended and removed.
fn lock(folder: &Path) -> Result<File> {
    let doing = || format!("locking {}", folder.display());
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join(LOCK))
        .with_context(doing)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("{} is in use by another leasehold dev", folder.display())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(doing),
    }
}

/// What a second start has to know.
#[derive(Serialize, Deserialize)]
pub(super) struct Notes {
    /// Password of the PostgreSQL superuser.
    superuser_password: String,
    /// Port of the last run: connections configured then should go on working.
    pub(super) postgres_port: Option<u16>,
    root_token: String,
    /// The root token that is about to take the other's place: if the run is killed meanwhile, either may be the one
    /// that lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_root_token: Option<String>,
    /// False until initdb has come to its end.
    pub(super) made: bool,
}

impl Notes {
    /// Of an earlier run, or new ones with this password and root token.
    pub(super) fn read_or_new(
        folders: &Folders,
        new: impl FnOnce() -> (Password, Token),
    ) -> Result<Notes> {
        let file = folders.kept.join(NOTES);
        match std::fs::read(&file) {
            Ok(text) => {
                serde_json::from_slice(&text).with_context(|| format!("reading {}", file.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let (password, root_token) = new();
                Ok(Notes {
                    superuser_password: password.expose().to_owned(),
                    postgres_port: None,
                    root_token: root_token.expose().to_owned(),
                    next_root_token: None,
                    made: false,
                })
            }
            Err(error) => Err(error).with_context(|| format!("reading {}", file.display())),
        }
    }

    pub(super) fn write(&self, folders: &Folders) -> Result<()> {
        write_private(&folders.kept.join(NOTES), &serde_json::to_vec_pretty(self)?)
    }

    pub(super) fn superuser_password(&self) -> Password {
        Password::new(self.superuser_password.clone())
    }

    pub(super) fn root_token(&self) -> Token {
        Token::new(self.root_token.clone())
    }

    pub(super) fn next_root_token(&self) -> Option<Token> {
        self.next_root_token.clone().map(Token::new)
    }

    /// Notes the one that holds; none is about to take its place any more.
    pub(super) fn set_root_token(&mut self, token: &Token) {
        self.root_token = token.expose().to_owned();
        self.next_root_token = None;
    }

    pub(super) fn set_next_root_token(&mut self, token: &Token) {
        self.next_root_token = Some(token.expose().to_owned());
    }
}

/// Writes a file that only its owner reads, whole or not at all: a reader never sees a part of it.
pub(super) fn write_private(file: &Path, content: &[u8]) -> Result<()> {
    let doing = || format!("writing {}", file.display());
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let _ = std::fs::remove_file(&beside);
    let mut new = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .with_context(doing)?;
    new.write_all(content).with_context(doing)?;
    new.sync_all().with_context(doing)?;
    std::fs::rename(&beside, file).with_context(doing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let name = format!("leasehold-dev-lock-{}", std::process::id());
        let folder = Trash(std::env::temp_dir().join(name));
        assert!(is_ours_or_empty(&folder.0));
        std::fs::create_dir(&folder.0).expect("a folder");
        let held = lock(&folder.0).expect("a lock");
        let error = lock(&folder.0).expect_err("it is held").to_string();
        assert!(
            error.ends_with("is in use by another leasehold dev"),
            "{error}"
        );
        drop(held);
        drop(lock(&folder.0).expect("it is free again"));
        assert!(is_ours_or_empty(&folder.0));
        std::fs::write(folder.0.join("letter"), "").expect("a file");
        assert!(!is_ours_or_empty(&folder.0));
        std::fs::write(folder.0.join(NOTES), "").expect("notes");
        assert!(is_ours_or_empty(&folder.0));
        let path = folder.0.clone();
        drop(folder);
        assert!(!path.exists());
    }
}
