//! The system user that PostgreSQL runs as: it refuses to be root.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Who runs the server's programs and owns its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Account {
    /// Whoever runs us.
    Own,
    /// Another user, because we are root.
    Other {
        /// For messages.
        name: String,
        uid: u32,
        gid: u32,
    },
}

impl Account {
    /// We ourselves, or, for root, `postgres`, or `nobody` where the distribution made no such user.
    pub(super) fn choose() -> Result<Account> {
        let own = std::fs::metadata("/proc/self")
            .context("asking who we are")?
            .uid();
        if own != 0 {
            return Ok(Account::Own);
        }
        let accounts = std::fs::read_to_string("/etc/passwd").context("reading /etc/passwd")?;
        match ["postgres", "nobody"]
            .iter()
            .find_map(|name| find(&accounts, name))
        {
            Some(account) => Ok(account),
            None => bail!(
                "PostgreSQL refuses to run as root, and there is no user postgres: run leasehold dev as another user"
            ),
        }
    }

    /// A command run by this account, in `/`, without the variables that would turn PostgreSQL's programs to another
    /// server, and without `RUST_BACKTRACE`, which puts a backtrace into every error of the extension.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").env_remove("RUST_BACKTRACE");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        if let Account::Other { uid, gid, .. } = self {
            command.uid(*uid).gid(*gid);
        }
        command
    }

    /// Makes a folder of this account, with the folders above it; an existing one is handed over.
    pub(super) fn make_folder(&self, folder: &Path, mode: u32) -> Result<()> {
        let doing = || format!("making {}", folder.display());
        std::fs::create_dir_all(folder).with_context(doing)?;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode))
            .with_context(doing)?;
        self.own(folder).with_context(doing)
    }

    /// Hands a file or folder over to this account.
    pub(super) fn own(&self, path: &Path) -> Result<()> {
        if let Account::Other { uid, gid, .. } = self {
            chown(path, Some(*uid), Some(*gid))?;
        }
        Ok(())
    }

    /// An error that says what to do when this account can not get into `folder`.
    pub(super) fn check_reach(&self, folder: &Path) -> Result<()> {
        let Account::Other { name, .. } = self else {
            return Ok(());
        };
        let reached = self
            .command("sh")
            .args(["-c", "cd \"$1\" 2>/dev/null", "sh"])
            .arg(folder)
            .status()
            .context("running sh")?;
        if !reached.success() {
            bail!(
                "PostgreSQL will run as {name}, who can not reach {}: choose a folder below /tmp or /var/lib, \
                 or run leasehold dev as another user than root",
                folder.display()
            );
        }
        Ok(())
    }
}

fn find(accounts: &str, name: &str) -> Option<Account> {
    let line = accounts
        .lines()
        .find(|line| line.split(':').next() == Some(name))?;
    let mut numbers = line.split(':').skip(2);
    Some(Account::Other {
        name: name.to_owned(),
        uid: numbers.next()?.parse().ok()?,
        gid: numbers.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_their_whole_name() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\npostgresql:x:7:7::/:\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";
        let want = Account::Other {
            name: "postgres".to_owned(),
            uid: 101,
            gid: 104,
        };
        assert_eq!(find(accounts, "postgres"), Some(want));
        assert_eq!(find(accounts, "nobody"), None);
        assert_eq!(find("postgres:x:many:104", "postgres"), None);
    }
}
