//! A private server prefix: the distribution's server with our extension, and nothing installed system-wide.
//!
//! PostgreSQL finds its library and share folders relative to its own executable. So a copied `postgres`, beside
//! folders of the same layout that link to the distribution's files, also finds the files we put there. Two
//! checkouts, or a checkout and an installed extension, never meet.

use anyhow::{Context, Result, bail};
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::account::Account;
use super::distribution::Distribution;

/// Modes of what is run or loaded, and of what is read.
const PROGRAM: u32 = 0o755;
const TEXT: u32 = 0o644;

/// The extension's files, as found beside our own executable.
#[derive(Debug)]
pub(super) struct Extension {
    library: PathBuf,
    /// Control file and SQL scripts.
    scripts: Vec<PathBuf>,
}

impl Extension {
    /// Looks beside the running executable: cargo's own name for the library first, since a build replaces it and a
    /// copy under the installed name may be older.
    pub(super) fn beside_executable() -> Result<Extension> {
        let executable = std::env::current_exe().context("asking where we are")?;
        let folder = executable
            .parent()
            .context("the folder of the executable")?;
        Extension::in_folder(folder)
    }

    fn in_folder(folder: &Path) -> Result<Extension> {
        let library = ["libleasehold_pg.so", "leasehold.so"]
            .iter()
            .map(|name| folder.join(name))
            .find(|file| file.exists());
        let mut scripts = Vec::new();
        for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if is_script(&path.file_name().unwrap_or_default().to_string_lossy()) {
                scripts.push(path);
            }
        }
        let control = scripts.iter().any(|s| s.ends_with("leasehold.control"));
        match library {
            Some(library) if control => Ok(Extension { library, scripts }),
            _ => bail!(
                "the extension's files (leasehold.so, leasehold.control, leasehold--*.sql) are not beside the program in {}: \
                 in a checkout, `cargo xtask build` puts them there",
                folder.display()
            ),
        }
    }
}

fn is_script(name: &str) -> bool {
    name == "leasehold.control" || name.starts_with("leasehold--") && name.ends_with(".sql")
}

/// Makes the prefix below `root` and returns the path of its `postgres`. The other programs need no private copy.
pub(super) fn make(
    root: &Path,
    account: &Account,
    distribution: &Distribution,
    extension: &Extension,
) -> Result<PathBuf> {
    let Distribution { bin, lib, share } = distribution;
    let inside = |folder: &Path| root.join(folder.strip_prefix("/").unwrap_or(folder));
    std::fs::create_dir_all(inside(bin)).context("making the private server prefix")?;
    let postgres = inside(bin).join("postgres");
    copy(&bin.join("postgres"), &postgres, PROGRAM)?;
    link_all(lib, &inside(lib))?;
    copy(
        &extension.library,
        &inside(lib).join("leasehold.so"),
        PROGRAM,
    )?;
    let scripts = share.join("extension");
    link_all(share, &inside(share))?;
    std::fs::remove_file(inside(&scripts)).context("parting with the distribution's extensions")?;
    link_all(&scripts, &inside(&scripts))?;
    for script in &extension.scripts {
        let name = script.file_name().context("a file name")?;
        copy(script, &inside(&scripts).join(name), TEXT)?;
    }
    own_folders(root, account)?;
    Ok(postgres)
}

/// Hands all folders over, so that whoever runs the server can remove them.
fn own_folders(folder: &Path, account: &Account) -> Result<()> {
    account.own(folder)?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            own_folders(&entry.path(), account)?;
        }
    }
    Ok(())
}

/// Links every entry of `from` into the new folder `to`.
fn link_all(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let name = entry?.file_name();
        symlink(from.join(&name), to.join(&name))
            .with_context(|| format!("linking {}", from.join(&name).display()))?;
    }
    Ok(())
}

/// Copies a file, replacing a link to an installed one (never writing through it). It gets this mode whatever the
/// original has: files built under a strict umask are not for the account that runs the server.
fn copy(from: &Path, to: &Path, mode: u32) -> Result<()> {
    if to.is_symlink() {
        std::fs::remove_file(to)?;
    }
    std::fs::copy(from, to)
        .and_then(|_| std::fs::set_permissions(to, Permissions::from_mode(mode)))
        .with_context(|| format!("copying {}", from.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_for_everybody_whatever_the_originals_are() {
        let name = format!("leasehold-dev-copy-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        let (from, to) = (folder.join("from"), folder.join("to"));
        std::fs::write(&from, "text").expect("a file");
        std::fs::set_permissions(&from, Permissions::from_mode(0o600)).expect("a mode");
        for mode in [PROGRAM, TEXT] {
            copy(&from, &to, mode).expect("a copy");
            let found = std::fs::metadata(&to).expect("its mode").permissions();
            assert_eq!(found.mode() & 0o777, mode);
        }
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }

    #[test]
    fn only_our_files_are_scripts() {
        let check = |input: &str, expect: bool| assert_eq!(is_script(input), expect, "{input}");
        check("leasehold.control", true);
        check("leasehold--0.1.0.sql", true);
        check("leasehold--0.1.0--0.2.0.sql", true);
        check("leasehold--0.1.0.sql.orig", false);
        check("leasehold.d", false);
        check("leasehold", false);
    }
}
