//! The PostgreSQL that the distribution installed.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// Folders of one installed server.
pub(super) struct Distribution {
    pub(super) bin: PathBuf,
    pub(super) lib: PathBuf,
    pub(super) share: PathBuf,
}

/// Asks the `pg_config` that the extension was built with, or Debian's.
pub(super) fn find() -> Result<Distribution> {
    let named = std::env::var_os("PGRX_PG_CONFIG_PATH").map(PathBuf::from);
    let usual = PathBuf::from("/usr/lib/postgresql/15/bin/pg_config");
    let Some(pg_config) = named.into_iter().chain([usual]).find(|p| p.exists()) else {
        bail!("no PostgreSQL 15 found: apt-get install postgresql-15, or set PGRX_PG_CONFIG_PATH")
    };
    let ask = |what: &str| -> Result<PathBuf> {
        let output = Command::new(&pg_config)
            .arg(what)
            .output()
            .with_context(|| format!("running {}", pg_config.display()))?;
        Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
    };
    Ok(Distribution {
        bin: ask("--bindir")?,
        lib: ask("--pkglibdir")?,
        share: ask("--sharedir")?,
    })
}
