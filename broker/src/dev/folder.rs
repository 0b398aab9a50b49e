//! Where the embedded mode keeps things: a folder that goes away with it, and, with `-data`, one that stays.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::account::Account;
use crate::secret::{Password, Token};

/// The places of one run.
#[derive(Debug)]
pub(super) struct Folders {
    /// Private server prefix and, without `-data`, everything else. Removed at the end.
    pub(super) trash: PathBuf,
    /// Key and notes.
    pub(super) kept: PathBuf,
}

impl Folders {
    /// Makes them. `data` is the folder of `-data`.
    pub(super) fn make(account: &Account, data: Option<&Path>) -> Result<Folders> {
        let trash = std::env::temp_dir().join(format!("leasehold-dev-{}", std::process::id()));
        if trash.exists() {
            // Of an earlier process with our pid, whose keeper was killed too.
            std::fs::remove_dir_all(&trash)
                .with_context(|| format!("removing {}", trash.display()))?;
        }
        account.make_folder(&trash, 0o755)?;
        account.check_reach(&trash)?;
        let Some(data) = data else {
            return Ok(Folders {
                kept: trash.clone(),
                trash,
            });
        };
        if !data.join(NOTES).exists() && data.read_dir().is_ok_and(|mut d| d.next().is_some()) {
            bail!(
                "{} is neither empty nor a data folder of leasehold dev",
                data.display()
            );
        }
        account.make_folder(data, 0o755)?;
        let kept = std::fs::canonicalize(data).with_context(|| data.display().to_string())?;
        account.check_reach(&kept)?;
        Ok(Folders { trash, kept })
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

/// What a second start has to know.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Notes {
    /// Password of the PostgreSQL superuser.
    superuser_password: String,
    /// Port of the last run: connections configured then should go on working.
    pub(super) postgres_port: Option<u16>,
    root_token: String,
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

    pub(super) fn set_root_token(&mut self, token: &Token) {
        self.root_token = token.expose().to_owned();
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
