//! A private server prefix: the distribution's server with our extension, and nothing installed system-wide.
//!
//! PostgreSQL finds its library and share folders relative to its own executable. So a copied `postgres`, beside
//! folders of the same layout that link to the distribution's files, also finds the files we put there.

use anyhow::{Context, Result};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::distribution::{self, Distribution};
use super::place;
use crate::built;

/// What a cluster is started with.
#[derive(Clone)]
pub(super) struct Prefix {
    /// The private `postgres`.
    pub(super) postgres: PathBuf,
    /// The distribution's programs (`psql`, `initdb`, …), which need no private copy.
    pub(super) bin: PathBuf,
}

/// The prefix of this test process, made at first use.
pub(super) fn of_this_run() -> Result<Prefix> {
    static MADE: Mutex<Option<Prefix>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(|e| e.into_inner());
    if let Some(prefix) = &*made {
        return Ok(prefix.clone());
    }
    let prefix = make()?;
    *made = Some(prefix.clone());
    Ok(prefix)
}

fn make() -> Result<Prefix> {
    let Distribution { bin, lib, share } = distribution::find()?;
    let root = place::new_folder("prefix")?;
    let inside = |folder: &Path| root.join(folder.strip_prefix("/").unwrap_or(folder));

    std::fs::create_dir_all(inside(&bin))?;
    let postgres = inside(&bin).join("postgres");
    std::fs::copy(bin.join("postgres"), &postgres).context("copying the server")?;
    link_all(&lib, &inside(&lib), &[])?;
    link_all(&share, &inside(&share), &["extension"])?;
    link_all(
        &share.join("extension"),
        &inside(&share).join("extension"),
        &[],
    )?;
    put(&built::library()?, &inside(&lib).join("leasehold.so"))?;
    for script in built::scripts()? {
        let name = script.file_name().context("a file name")?;
        put(&script, &inside(&share).join("extension").join(name))?;
    }
    Ok(Prefix { postgres, bin })
}

/// Links every entry of `from` into the new folder `to`, but for those named in `except`.
fn link_all(from: &Path, to: &Path, except: &[&str]) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let name = entry?.file_name();
        if except.iter().all(|e| name != *e) {
            symlink(from.join(&name), to.join(&name))?;
        }
    }
    Ok(())
}

/// Copies a file of ours, replacing a link to an installed one (never writing through it).
fn put(from: &Path, to: &Path) -> Result<()> {
    if to.is_symlink() {
        std::fs::remove_file(to)?;
    }
    std::fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    Ok(())
}
