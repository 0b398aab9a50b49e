//! A private server prefix: the distribution's server with our extension, and nothing installed system-wide.
//!
//! PostgreSQL finds its library and share folders relative to its own executable. So a copied `postgres`, beside
//! folders of the same layout that link to the distribution's files, also finds the files we put there. Two
//! checkouts, or a checkout and an installed extension, never meet.

use anyhow::{Context, Result, bail};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::account::Account;
use super::distribution::Distribution;

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
    copy(&bin.join("postgres"), &postgres)?;
    link_all(lib, &inside(lib))?;
    copy(&extension.library, &inside(lib).join("leasehold.so"))?;
    let scripts = share.join("extension");
    link_all(share, &inside(share))?;
    std::fs::remove_file(inside(&scripts)).context("parting with the distribution's extensions")?;
    link_all(&scripts, &inside(&scripts))?;
    for script in &extension.scripts {
        let name = script.file_name().context("a file name")?;
        copy(script, &inside(&scripts).join(name))?;
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

/// Copies a file, replacing a link to an installed one (never writing through it).
fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.is_symlink() {
        std::fs::remove_file(to)?;
    }
    std::fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
