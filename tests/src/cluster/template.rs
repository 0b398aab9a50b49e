//! The data folder that clusters are copied from: `initdb` once per test process.

use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::sync::Mutex;

use super::{place, prefix};

/// Password of the superuser `postgres` of every test cluster, over TCP.
pub(super) const SUPERUSER_PASSWORD: &str = "superuser-of-the-test";

/// The template, made at first use.
pub(super) fn of_this_run() -> Result<PathBuf> {
    static MADE: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(|e| e.into_inner());
    if let Some(template) = &*made {
        return Ok(template.clone());
    }
    let template = make()?;
    *made = Some(template.clone());
    Ok(template)
}

fn make() -> Result<PathBuf> {
    let folder = place::new_folder("template")?;
    let password = folder.join("password");
    std::fs::write(&password, SUPERUSER_PASSWORD)?;
    let data = folder.join("data");
    let output = place::as_server_user(prefix::of_this_run()?.bin.join("initdb"))
        .arg("--pgdata")
        .arg(&data)
        .arg("--pwfile")
        .arg(&password)
        .args(["--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"])
        .args(["--auth-local=trust", "--auth-host=scram-sha-256"])
        .args(["--no-sync", "--wal-segsize=4"])
        .output()
        .context("running initdb")?;
    ensure!(
        output.status.success(),
        "initdb: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(data)
}
