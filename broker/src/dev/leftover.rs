//! What an earlier run may have left in a data folder when it was killed: server processes, a stale pid file.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::time::{Duration, Instant};

use super::account::Account;

/// How long processes get to end by themselves before they are killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ends every server process that still works in `data`, and removes a pid file that then names nobody.
///
/// A pid alone proves nothing (it may have been given to someone else since), but all processes of a server have its
/// data folder as their working directory.
pub(super) fn clear(account: &Account, data: &Path) -> Result<()> {
    let begin = Instant::now();
    let mut signal = "QUIT";
    loop {
        let pids = processes_in(data)?;
        if pids.is_empty() {
            break;
        }
        tracing::warn!(?pids, data = %data.display(), signal, "ending a PostgreSQL that an earlier run left behind");
        send(account, signal, &pids)?;
        let wait = Instant::now();
        while wait.elapsed() < PATIENCE && !processes_in(data)?.is_empty() {
            std::thread::sleep(Duration::from_millis(20));
        }
        ensure!(
            begin.elapsed() < 4 * PATIENCE,
            "processes {pids:?} still work in {} and do not end",
            data.display()
        );
        signal = "KILL";
    }
    match std::fs::remove_file(data.join("postmaster.pid")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context("removing a stale postmaster.pid")
        }
        _ => Ok(()),
    }
}

fn processes_in(data: &Path) -> Result<Vec<u32>> {
    let data = std::fs::canonicalize(data).with_context(|| data.display().to_string())?;
    let mut pids = Vec::new();
    for entry in std::fs::read_dir("/proc").context("reading /proc")? {
        let entry = entry?;
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else {
            continue;
        };
        // Somebody else's process can not be looked at, and is none of ours; a zombie has no working directory.
        let folder = std::fs::read_link(entry.path().join("cwd"));
        let program = std::fs::read_link(entry.path().join("exe"));
        let is_server = |program: &Path| {
            let name = program.file_name().unwrap_or_default().to_string_lossy();
            // The kernel adds " (deleted)" once the private prefix is gone.
            name.split(' ').next() == Some("postgres")
        };
        if folder.is_ok_and(|f| f == data) && program.is_ok_and(|p| is_server(&p)) {
            pids.push(pid);
        }
    }
    Ok(pids)
}

fn send(account: &Account, signal: &str, pids: &[u32]) -> Result<()> {
    // Some of them may have ended meanwhile, so the outcome is looked up, not taken from here.
    account
        .command("sh")
        .args(["-c", "kill -s \"$@\" 2>/dev/null", "kill", signal])
        .args(pids.iter().map(u32::to_string))
        .status()
        .context("running kill")?;
    Ok(())
}
