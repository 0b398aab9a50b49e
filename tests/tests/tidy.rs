//! Style that matters is a test: who may import whom, where `unsafe` and SQL live, what is never left in the tree.

use anyhow::Result;
use leasehold_tests::built;
use std::path::{Path, PathBuf};

/// No file of code is longer. A longer one holds more than one thought.
const LINES_MAX: usize = 750;

/// Words that say that something is unfinished or hidden. Spelled in two parts, or this file would hold them.
const UNFINISHED: [(&str, &str); 7] = [
    ("todo", "!("),
    ("unimplemented", "!("),
    ("dbg", "!("),
    ("FIX", "ME"),
    ("XX", "X "),
    ("#[ign", "ore"),
    ("allow(dead", "_code)"),
];

/// Below these, the second must not be named in an import: folder, and the beginnings that are not for it.
const IMPORTS: [(&str, &[&str]); 10] = [
    (
        "pg_ext/src/core",
        &[
            "pgrx",
            "crate::ffi",
            "crate::catalog",
            "crate::lease",
            "crate::role",
            "crate::worker",
            "crate::api",
        ],
    ),
    (
        "pg_ext/src/ffi",
        &["crate::api", "crate::worker", "crate::lease", "crate::role"],
    ),
    (
        "pg_ext/src/catalog",
        &["crate::api", "crate::worker", "crate::lease", "crate::role"],
    ),
    ("pg_ext/src/lease", &["crate::api"]),
    ("pg_ext/src/role", &["crate::api", "crate::worker"]),
    (
        "broker/src/policy",
        &[
            "sqlx",
            "tokio",
            "hyper",
            "crate::store",
            "crate::target",
            "crate::engine",
            "crate::http",
        ],
    ),
    (
        "broker/src/template",
        &[
            "sqlx",
            "tokio",
            "hyper",
            "crate::store",
            "crate::target",
            "crate::engine",
            "crate::http",
        ],
    ),
    (
        "broker/src/store",
        &[
            "crate::target",
            "crate::engine",
            "crate::pipeline",
            "crate::http",
            "crate::server",
            "crate::cli",
        ],
    ),
    (
        "broker/src/target",
        &[
            "crate::engine",
            "crate::pipeline",
            "crate::http",
            "crate::server",
            "crate::cli",
        ],
    ),
    (
        "broker/src/cli",
        &[
            "sqlx",
            "crate::store",
            "crate::target",
            "crate::engine",
            "crate::pipeline",
            "crate::http",
        ],
    ),
];

/// Imports that the table would refuse, each with its reason.
const EXCEPTIONS: [(&str, &str); 6] = [
    // The layout of the shared memory is the workers'; only ffi may map it.
    ("pg_ext/src/ffi/shmem.rs", "crate::worker::board::Board;"),
    // The hook on DROP EXTENSION wakes the sweeper.
    ("pg_ext/src/ffi/guard.rs", "crate::worker::wake;"),
    // The hook on labels wakes the launcher.
    ("pg_ext/src/ffi/label.rs", "crate::worker::wake;"),
    // The hook on commands that want a database to themselves.
    ("pg_ext/src/ffi/commands.rs", "crate::worker::aside;"),
    // A noun of the seam: an owner as rows have it and targets are told it.
    ("broker/src/store/intents.rs", "crate::target::Owner;"),
    // Likewise a lease as its target holds it, to be taken into the index.
    ("broker/src/store/comparison.rs", "crate::target::Held;"),
];

/// Pure single files of the broker: no I/O in any form.
const PURE: [&str; 7] = [
    "duration", "path", "ttl", "scram", "password", "json", "cidr",
];

fn files(folder: &str, ending: &str) -> Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    let mut folders = vec![built::top().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir()? {
            let path = entry?.path();
            let name = path
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default();
            if path.is_dir() && !name.starts_with('.') && name != "node_modules" {
                folders.push(path);
            } else if name.ends_with(ending) {
                let text = std::fs::read_to_string(&path)?;
                found.push((path, text));
            }
        }
    }
    Ok(found)
}

fn code() -> Result<Vec<(PathBuf, String)>> {
    let mut all = Vec::new();
    for folder in ["broker/src", "pg_ext/src", "tests"] {
        all.extend(files(folder, ".rs")?);
    }
    all.extend(files("sql", ".sql")?);
    Ok(all)
}

fn below(path: &Path, folder: &str) -> bool {
    path.starts_with(built::top().join(folder)) || path == built::top().join(format!("{folder}.rs"))
}

/// Lines of a file that are no comments.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(n, l)| (n + 1, l))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The same for several files: the file, its whole text, where the line is, the line.
fn each_line(
    files: &[(PathBuf, String)],
) -> impl Iterator<Item = (&Path, &str, String, &str)> + use<'_> {
    files.iter().flat_map(|(path, text)| {
        lines(text).map(move |(number, line)| {
            let place = format!("{}:{number}", path.display());
            (path.as_path(), text.as_str(), place, line)
        })
    })
}

#[test]
fn nothing_unfinished_is_left() -> Result<()> {
    for (path, text) in code()? {
        for (first, second) in UNFINISHED {
            let word = format!("{first}{second}");
            assert!(!text.contains(&word), "{} holds {word}", path.display());
        }
        assert!(
            text.lines().count() <= LINES_MAX || path.extension().is_some_and(|e| e == "sql"),
            "{} is too long",
            path.display()
        );
    }
    Ok(())
}

#[test]
fn unsafe_stays_behind_its_door() -> Result<()> {
    for (path, text, place, line) in each_line(&code()?) {
        if below(path, "pg_ext/src/ffi") || path.ends_with("tests/tidy.rs") {
            continue;
        }
        let used = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"]
            .iter()
            .any(|form| line.contains(form));
        let reasoned = text.contains("#[expect(unsafe_code, reason")
            || text.contains("expect(\n    unsafe_code,");
        assert!(
            !used || reasoned,
            "{place} is unsafe outside pg_ext/src/ffi"
        );
    }
    Ok(())
}

#[test]
fn nobody_imports_upwards() -> Result<()> {
    for (path, _, place, line) in each_line(&code()?) {
        let Some(import) = line.trim_start().strip_prefix("use ") else {
            continue;
        };
        let excepted = EXCEPTIONS
            .iter()
            .any(|(file, line)| path.ends_with(file) && import == *line);
        let found = IMPORTS
            .iter()
            .filter(|(folder, _)| below(path, folder))
            .flat_map(|(_, refused)| *refused)
            .find(|word| {
                import
                    .strip_prefix(**word)
                    .is_some_and(|rest| rest.starts_with([':', ';', ' ']))
            });
        assert!(found.is_none() || excepted, "{place} imports {import}");
    }
    Ok(())
}

#[test]
fn pure_code_does_no_io() -> Result<()> {
    for name in PURE {
        let file = built::top().join(format!("broker/src/{name}.rs"));
        let folder = built::top().join(format!("broker/src/{name}/mod.rs"));
        let path = if folder.exists() { folder } else { file };
        let text = std::fs::read_to_string(&path)?;
        for word in [
            "sqlx",
            "tokio",
            "hyper",
            "std::fs",
            "TcpStream",
            "SystemTime::now",
            "Instant::now",
        ] {
            assert!(
                lines(&text).all(|(_, line)| !line.contains(word)),
                "{} names {word}",
                path.display()
            );
        }
    }
    Ok(())
}

#[test]
fn sql_is_spoken_in_two_places() -> Result<()> {
    for (path, _, place, line) in each_line(&files("broker/src", ".rs")?) {
        let allowed = ["broker/src/store", "broker/src/target", "broker/src/dev"]
            .iter()
            .any(|folder| below(path, folder));
        assert!(
            allowed || !line.contains("sqlx::query") && !line.contains("raw_sql"),
            "{place} speaks SQL"
        );
    }
    Ok(())
}

#[test]
fn tests_import_no_crate_under_test() -> Result<()> {
    for file in ["tests/Cargo.toml", "tests/xtask/Cargo.toml"] {
        let text = std::fs::read_to_string(built::top().join(file))?;
        assert!(
            !text.contains("path ="),
            "{file} depends on a crate of this tree"
        );
    }
    Ok(())
}

#[test]
fn the_readme_says_what_it_must() -> Result<()> {
    let text = std::fs::read_to_string(built::top().join("README.md"))?;
    for word in [
        "cargo xtask guide",
        "cargo xtask test",
        "## Words",
        "## What holds",
        "## Map",
        "leasehold.check()",
    ] {
        assert!(text.contains(word), "README.md does not hold {word:?}");
    }
    Ok(())
}
