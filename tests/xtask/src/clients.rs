//! Clients of other languages, at the versions that tests pin. What the machine has no language for is left out.

use anyhow::Result;
use std::process::Command;

use crate::{cargo, step};

/// Makes `tests/.venv` with the Python clients, if there is a Python.
pub(crate) fn prepare() -> Result<()> {
    let tests = cargo::top().join("tests");
    let wanted = tests.join("clients/python/requirements.txt");
    let python = tests.join(".venv/bin/python");
    if !step::succeeds(Command::new("python3").arg("--version")) {
        println!("left out: clients in Python (no python3 here)");
        return Ok(());
    }
    let installed = tests.join(".venv/requirements.txt");
    let text = std::fs::read(&wanted)?;
    if python.exists() && std::fs::read(&installed).is_ok_and(|have| have == text) {
        return Ok(());
    }
    step::begin("installing the Python clients in tests/.venv");
    let _ = std::fs::remove_dir_all(tests.join(".venv"));
    let made = step::run(
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(tests.join(".venv")),
    )
    .and_then(|()| {
        step::run(
            Command::new(&python)
                .args([
                    "-m",
                    "pip",
                    "install",
                    "-q",
                    "--disable-pip-version-check",
                    "-r",
                ])
                .arg(&wanted),
        )
    });
    match made {
        Ok(()) => std::fs::write(&installed, text)?,
        Err(error) => {
            println!("left out: clients in Python ({error:#}; is python3-venv installed?)");
            let _ = std::fs::remove_dir_all(tests.join(".venv"));
        }
    }
    Ok(())
}
