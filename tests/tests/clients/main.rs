//! Clients of others, unmodified: hvac (Python), node-vault (JavaScript), HashiCorp's own api client (Go), vaultrs (Rust).
//!
//! Each of them does the same: the guide, response wrapping, the token tree, denial by policy. What is not Rust lies in
//! `tests/clients/`, a program a language, and `cargo xtask test` installs it below `target/clients/`. A client whose
//! language is not on the machine is left out with a message.

mod vaultrs;

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Broker, DevOptions, built};
use std::path::Path;
use std::process::Command;

/// What every client says when it has come to its end.
const DONE: &str = "guide: ok\nwrapping: ok\ntoken tree: ok\ndenial: ok\n";

/// Runs a client's program against a broker of its own.
fn run(client: &str, needs: &Path, command: &mut Command) -> Result<()> {
    if !needs.exists() {
        println!(
            "left out: {client}, since there is no {} (cargo xtask test makes it where the language is)",
            needs.display()
        );
        return Ok(());
    }
    let broker = Broker::dev(&DevOptions::default())?;
    let output = command
        .env("VAULT_ADDR", format!("http://{}", broker.address()))
        .env("ROOT_TOKEN", broker.root().token().unwrap_or_default())
        .env("PG_HOST", broker.postgres("host"))
        .env("PG_PORT", broker.postgres("port"))
        .env("PG_USER", broker.postgres("user"))
        .env("PG_PASSWORD", broker.postgres("password"))
        .env_remove("VAULT_TOKEN")
        .output()
        .with_context(|| format!("running {client}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && said == DONE,
        "{client}: {}\n{said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

#[test]
fn hvac_does_all_four() -> Result<()> {
    let python = built::client("python/bin/python")?;
    let mut command = Command::new(&python);
    command
        .arg(built::top().join("tests/clients/python/main.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    run("hvac", &python, &mut command)
}

#[test]
fn node_vault_does_all_four() -> Result<()> {
    let modules = built::client("node/node_modules")?;
    let mut command = Command::new("node");
    command
        .arg(built::top().join("tests/clients/node/main.js"))
        .env("NODE_PATH", &modules);
    run("node-vault", &modules, &mut command)
}

#[test]
fn the_go_client_does_all_four() -> Result<()> {
    let program = built::client("go/clients")?;
    run("vault/api (Go)", &program, &mut Command::new(&program))
}
