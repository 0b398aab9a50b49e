//! Tells people, and with `-info` programs, that everything is ready.

use anyhow::Result;
use serde_json::json;
use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;

use super::folder::write_private;
use super::prepare::{DATABASE, SUPERUSER};
use crate::secret::{Password, Token};

/// What there is to tell.
pub(super) struct Ready<'a> {
    /// `http://127.0.0.1:8200`.
    pub(super) address: &'a str,
    pub(super) root_token: &'a Token,
    pub(super) postgres_port: u16,
    pub(super) postgres_password: &'a Password,
    /// The folder that stays, if one does.
    pub(super) data: Option<&'a Path>,
}

impl Ready<'_> {
    /// For programs; written whole or not at all.
    pub(super) fn write_info(&self, file: &Path) -> Result<()> {
        let info = json!({
            "address": self.address,
            "root_token": self.root_token.expose(),
            "pid": std::process::id(),
            "postgres": {
                "host": "127.0.0.1",
                "port": self.postgres_port,
                "user": SUPERUSER,
                "password": self.postgres_password.expose(),
                "database": DATABASE,
            },
        });
        write_private(file, &serde_json::to_vec_pretty(&info)?)
    }

    /// For people.
    pub(super) fn print(&self, out: &mut dyn Write) -> Result<()> {
        let Ready {
            address,
            postgres_port: port,
            ..
        } = self;
        let token = self.root_token.expose();
        let password = self.postgres_password.expose();
        writeln!(
            out,
            "\
Leasehold is ready, for trying things out: an embedded PostgreSQL, a broker, a root token.

    address      {address}
    root token   {token}
    PostgreSQL   postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/{DATABASE}"
        )?;
        match self.data {
            Some(data) => writeln!(out, "    data         {}", data.display())?,
            None => writeln!(out, "    data         goes away at the end")?,
        }
        writeln!(
            out,
            "
Commands to try, in another terminal:
"
        )?;
        let program = std::env::current_exe()?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        if let Some(line) = program.parent().and_then(|folder| to_path(folder, &path)) {
            writeln!(out, "    {line}")?;
        }
        writeln!(
            out,
            "    export VAULT_ADDR={address} VAULT_TOKEN={token}
    leasehold secrets enable database
    leasehold write database/config/postgresql plugin_name=postgresql-database-plugin allowed_roles='*' \\
        connection_url='postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{port}/{DATABASE}' \\
        username={SUPERUSER} password={password}

Ctrl-C takes everything down."
        )?;
        out.flush()?;
        Ok(())
    }
}

/// The command that puts a folder into the PATH, unless it is there already.
fn to_path(folder: &Path, path: &OsStr) -> Option<String> {
    if std::env::split_paths(path).any(|one| one == folder) {
        return None;
    }
    Some(format!(
        "export PATH={}:$PATH",
        quoted(&folder.to_string_lossy())
    ))
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    match text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_put_into_the_path_once() {
        let check = |folder: &str, path: &str, expect: Option<&str>| {
            let seen = to_path(Path::new(folder), OsStr::new(path));
            assert_eq!(seen.as_deref(), expect, "{folder} in {path}");
        };
        check("/a/release", "/bin:/a/release:/usr/bin", None);
        check("/a/release", "/bin:/a/release/", None);
        check(
            "/a/release",
            "/bin:/a/release/deps",
            Some("export PATH=/a/release:$PATH"),
        );
        check("/a/release", "", Some("export PATH=/a/release:$PATH"));
        check(
            "/my code/it's",
            "/bin",
            Some(r"export PATH='/my code/it'\''s':$PATH"),
        );
    }
}
