//! The PostgreSQL 15 that the machine has: where its programs, libraries and shared files lie.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The major version that our library is built for.
const MAJOR: &str = "15";

/// Folders of one installed server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Distribution {
    pub(super) bin: PathBuf,
    pub(super) lib: PathBuf,
    pub(super) share: PathBuf,
}

impl Distribution {
    /// Looks where Debian puts it, then for a `pg_config` in the PATH. Both have to be the right major version, and
    /// have a server, not only a client.
    pub(super) fn find() -> Result<Distribution> {
        let mut tried = Vec::new();
        for pg_config in candidates() {
            match ask(&pg_config) {
                Ok(found) => return Ok(found),
                Err(error) => tried.push(format!("  {}: {error:#}", pg_config.display())),
            }
        }
        bail!(
            "no PostgreSQL {MAJOR} server found (apt-get install postgresql-{MAJOR}); looked at\n{}",
            tried.join("\n")
        )
    }
}

fn candidates() -> Vec<PathBuf> {
    let usual = PathBuf::from(format!("/usr/lib/postgresql/{MAJOR}/bin/pg_config"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(usual)
        .chain(std::env::split_paths(&path).map(|folder| folder.join("pg_config")))
        .filter(|file| file.exists())
        .collect()
}

fn ask(pg_config: &Path) -> Result<Distribution> {
    let value = |option: &str| -> Result<String> {
        let output = Command::new(pg_config).arg(option).output()?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let version = value("--version").context("asking its version")?;
    if major(&version) != Some(MAJOR) {
        bail!("it is {version}");
    }
    let found = Distribution {
        bin: value("--bindir")?.into(),
        lib: value("--pkglibdir")?.into(),
        share: value("--sharedir")?.into(),
    };
    for program in ["postgres", "initdb"] {
        if !found.bin.join(program).exists() {
            bail!("no {program} in {}", found.bin.display());
        }
    }
    Ok(found)
}

/// `PostgreSQL 15.20 (Debian …)` -> `15`.
fn major(version: &str) -> Option<&str> {
    let number = version.split_whitespace().nth(1)?;
    number.split(|c: char| !c.is_ascii_digit()).next()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn majors_are_read_from_all_kinds_of_versions() {
        let check = |input: &str, expect: Option<&str>| assert_eq!(major(input), expect, "{input}");
        check("PostgreSQL 15.20 (Debian 15.20-0+deb12u1)", Some("15"));
        check("PostgreSQL 18beta1", Some("18"));
        check("PostgreSQL", None);
    }
}
