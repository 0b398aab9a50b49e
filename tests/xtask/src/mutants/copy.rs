//! The copy of the tree that is mutated. It stays between runs with a target folder of its own, and a file that has not
//! changed is not written again, so that only what a mutant touches is compiled.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Mutant;
use crate::cargo;

/// The copy.
pub(crate) struct Tree {
    folder: PathBuf,
}

impl Tree {
    /// Makes the copy equal to the checkout, uncommitted changes included.
    pub(crate) fn refresh() -> Result<Tree> {
        let folder = cargo::release_folder()
            .with_file_name("mutants")
            .join("tree");
        let wanted = listed()?;
        for file in &wanted {
            let text = std::fs::read(cargo::top().join(file)).with_context(|| file.clone())?;
            write_changed(&folder.join(file), &text)?;
        }
        // What was removed from the checkout since.
        let record = folder.with_file_name("files");
        let before = std::fs::read_to_string(&record).unwrap_or_default();
        for old in before
            .lines()
            .filter(|old| !wanted.iter().any(|file| file == old))
        {
            let _ = std::fs::remove_file(folder.join(old));
        }
        std::fs::write(&record, wanted.join("\n"))?;
        Ok(Tree { folder })
    }

    /// The top of the copy.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its target folder.
    pub(crate) fn target(&self) -> PathBuf {
        self.folder.with_file_name("target")
    }

    /// Applies `mutant`; undone when the value is dropped.
    pub(crate) fn mutate(&self, mutant: &Mutant) -> Result<Mutated> {
        let path = self.folder.join(mutant.file);
        let text = std::fs::read_to_string(&path).with_context(|| mutant.file.to_owned())?;
        ensure!(
            text.matches(mutant.from).count() == 1,
            "the text of {} does not stand exactly once in {}",
            mutant.name,
            mutant.file
        );
        std::fs::write(&path, text.replacen(mutant.from, mutant.to, 1))?;
        Ok(Mutated { path, text })
    }
}

/// A file of the copy while it is mutated.
pub(crate) struct Mutated {
    path: PathBuf,
    text: String,
}

impl Drop for Mutated {
    fn drop(&mut self) {
        if let Err(error) = std::fs::write(&self.path, &self.text) {
            eprintln!("{} stays mutated: {error}", self.path.display());
        }
    }
}

/// Every file of the checkout that git knows or would take.
fn listed() -> Result<Vec<String>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(cargo::top())
        .output()
        .context("running git")?;
    ensure!(output.status.success(), "git ls-files: {}", output.status);
    let names = String::from_utf8(output.stdout)?;
    let there = |name: &&str| !name.is_empty() && cargo::top().join(name).is_file();
    Ok(names.split('\0').filter(there).map(str::to_owned).collect())
}

fn write_changed(path: &Path, text: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text).with_context(|| path.display().to_string())
}
