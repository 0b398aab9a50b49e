//! Clients of other languages, at the versions that tests pin, below `target/clients/`. A language that the machine does
//! not have is left out.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{cargo, step};

/// A language: its name, how one finds out that it is here, the files that say what is installed, and how it is.
struct Language {
    name: &'static str,
    folder: &'static str,
    probe: &'static [&'static str],
    pinned: &'static [&'static str],
    /// Whether a program of ours is compiled, too: its compiler knows best whether that has changed.
    compiled: bool,
    install: fn(from: &Path, to: &Path) -> Result<()>,
}

const LANGUAGES: [Language; 3] = [
    Language {
        name: "Python",
        folder: "python",
        // Debian has an interpreter without these two.
        probe: &["python3", "-c", "import ensurepip, venv"],
        pinned: &["requirements.txt"],
        compiled: false,
        install: python,
    },
    Language {
        name: "JavaScript",
        folder: "node",
        probe: &["npm", "--version"],
        pinned: &["package.json", "package-lock.json"],
        compiled: false,
        install: node,
    },
    Language {
        name: "Go",
        folder: "go",
        probe: &["go", "version"],
        pinned: &["go.mod", "go.sum"],
        compiled: true,
        install: go,
    },
];

/// Installs what is not installed yet. In CI a language that is there has to work; elsewhere it may be too old, or the
/// machine off the network, and the tests say that its client is left out.
pub(crate) fn prepare() -> Result<()> {
    for language in &LANGUAGES {
        let [program, arguments @ ..] = language.probe else {
            continue;
        };
        if !step::succeeds(Command::new(program).args(arguments)) {
            println!(
                "left out: the client in {0} ({0} is not installed)",
                language.name
            );
            continue;
        }
        match language.install() {
            Ok(()) => {}
            Err(error) if std::env::var_os("CI").is_some() => return Err(error),
            Err(error) => println!("left out: the client in {} ({error:#})", language.name),
        }
    }
    Ok(())
}

impl Language {
    fn install(&self) -> Result<()> {
        let from = cargo::top().join("tests/clients").join(self.folder);
        let to = cargo::target_folder().join("clients").join(self.folder);
        let mut pinned = Vec::new();
        for file in self.pinned {
            pinned.extend(std::fs::read(from.join(file)).with_context(|| (*file).to_owned())?);
        }
        let stamp = to.join("installed");
        let current = std::fs::read(&stamp).is_ok_and(|have| have == pinned);
        if current && !self.compiled {
            return Ok(());
        }
        if !current {
            step::begin(&format!("installing the client in {}", self.name));
            let _ = std::fs::remove_dir_all(&to);
            std::fs::create_dir_all(&to)?;
        }
        let installed =
            (self.install)(&from, &to).and_then(|()| Ok(std::fs::write(&stamp, pinned)?));
        if installed.is_err() {
            // Half of it would be taken for all of it.
            let _ = std::fs::remove_dir_all(&to);
        }
        installed
    }
}

fn python(from: &Path, to: &Path) -> Result<()> {
    step::run(Command::new("python3").args(["-m", "venv"]).arg(to))?;
    step::run(
        Command::new(to.join("bin/python"))
            .args(["-m", "pip", "install", "-q", "--disable-pip-version-check"])
            .arg("-r")
            .arg(from.join("requirements.txt")),
    )
}

fn node(from: &Path, to: &Path) -> Result<()> {
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(from.join(file), to.join(file))?;
    }
    let quiet = [
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ];
    step::run(Command::new("npm").arg("ci").args(quiet).current_dir(to))
}

fn go(from: &Path, to: &Path) -> Result<()> {
    let program: PathBuf = to.join("clients");
    step::run(
        Command::new("go")
            .args(["build", "-mod=readonly", "-o"])
            .arg(program)
            .arg(".")
            .current_dir(from),
    )
}
