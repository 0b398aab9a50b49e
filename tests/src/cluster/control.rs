//! Starting, stopping and hurting a cluster.

use anyhow::{Context, Result, bail, ensure};
use std::fs::OpenOptions;
use std::process::Stdio;
use std::time::Duration;

use super::{Cluster, place, prefix, wait_until};
use crate::port;

/// How long a server may take to come up (crash recovery included) or to go down.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a cluster is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Sessions are ended, a checkpoint is written.
    Fast,
    /// As a crash: recovery at the next start.
    Immediate,
}

impl Cluster {
    /// Starts on a port that is free now; another process may take it in between, so tries a few.
    pub(super) fn start_first(&mut self) -> Result<()> {
        const TRIES: usize = 5;
        let mut last = None;
        for _ in 0..TRIES {
            self.port = port::free()?;
            match self.start_again() {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
            if !self.log()?.contains("Address already in use") {
                break;
            }
        }
        Err(last.expect("at least one try"))
    }

    /// Starts a stopped cluster, on its port, and waits until it takes connections.
    pub fn start_again(&self) -> Result<()> {
        ensure!(!self.running(), "the cluster is already running");
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))?;
        let server = match &self.options.server {
            Some(server) => server.clone(),
            None => prefix::of_this_run()?.postgres,
        };
        let mut command = place::as_server_user(server);
        command
            .arg("-D")
            .arg(self.data_folder())
            .args(["-p", &self.port.to_string()])
            .arg("-k")
            .arg(self.socket_folder());
        for (name, value) in self.options.all_settings() {
            command.args(["-c", &format!("{name}={value}")]);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting PostgreSQL")?;
        *self.lock() = Some(child);
        let ready = wait_until(PATIENCE, "PostgreSQL takes connections", || {
            let mut postmaster = self.lock();
            let Some(child) = postmaster.as_mut() else {
                bail!("the cluster was stopped meanwhile")
            };
            if let Some(status) = child.try_wait()? {
                bail!("PostgreSQL ended while starting: {status}")
            }
            // The eighth line of its pid file says how far the postmaster is.
            let pid_file = self.data_folder().join("postmaster.pid");
            let text = std::fs::read_to_string(pid_file).unwrap_or_default();
            let ours = text.lines().next() == Some(&child.id().to_string());
            Ok(ours && text.lines().nth(7).map(str::trim) == Some("ready"))
        });
        if let Err(error) = ready {
            let log = self.log().unwrap_or_default();
            let _ = self.stop(Stop::Immediate);
            return Err(error.context(log));
        }
        Ok(())
    }

    /// Stops the cluster and waits until it is down. Stopping a stopped one is no error.
    pub fn stop(&self, how: Stop) -> Result<()> {
        let Some(mut child) = self.lock().take() else {
            return Ok(());
        };
        if child.try_wait()?.is_some() {
            return Ok(());
        }
        self.signal(if how == Stop::Fast { "INT" } else { "QUIT" }, child.id())?;
        let down = wait_until(PATIENCE, "PostgreSQL is down", || {
            Ok(child.try_wait()?.is_some())
        });
        if down.is_err() {
            child.kill()?;
            child.wait()?;
        }
        down
    }

    /// `stop(Fast)` and start.
    pub fn restart(&self) -> Result<()> {
        self.stop(Stop::Fast)?;
        self.start_again()
    }

    /// `stop(Immediate)` and start: recovery included.
    pub fn crash(&self) -> Result<()> {
        self.stop(Stop::Immediate)?;
        self.start_again()
    }

    /// SIGKILLs the postmaster and returns when every other process of the server has gone by itself: until then they
    /// hold on to its memory, and no new postmaster starts.
    pub fn kill_postmaster(&self) -> Result<()> {
        let Some(mut child) = self.lock().take() else {
            return Ok(());
        };
        child.kill()?;
        child.wait()?;
        let data = self.data_folder();
        wait_until(PATIENCE, "the orphans of the postmaster are gone", || {
            Ok(!any_process_in(&data)?)
        })
    }

    /// SIGKILLs one server process (a backend's pid from `pg_stat_activity`): all sessions end, the server recovers
    /// by itself. Returns when it takes connections again.
    pub fn kill_process(&self, pid: u32) -> Result<()> {
        self.signal("KILL", pid)?;
        // The postmaster needs a moment to notice; until then old sessions and new ones may still be served.
        wait_until(PATIENCE, "the killed process is gone", || {
            Ok(!std::path::Path::new(&format!("/proc/{pid}")).exists())
        })?;
        std::thread::sleep(Duration::from_millis(100));
        wait_until(PATIENCE, "PostgreSQL has recovered", || {
            Ok(self.psql("select 1").is_ok())
        })
    }

    /// Whether the postmaster is running.
    pub fn running(&self) -> bool {
        self.lock()
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// The postmaster's process id.
    pub fn pid(&self) -> Option<u32> {
        self.lock().as_ref().map(std::process::Child::id)
    }

    /// The end of the server log, for whoever reads why a test failed.
    pub(super) fn show_log(&self) {
        const LINES: usize = 40;
        let log = self.log().unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = &lines[lines.len().saturating_sub(LINES)..];
        eprintln!("--- end of the server log\n{}\n---", tail.join("\n"));
    }

    /// Sends the signal `name` (`STOP`, `CONT`, …) to one server process.
    pub fn signal(&self, name: &str, pid: u32) -> Result<()> {
        let status = place::as_server_user("sh")
            .args([
                "-c",
                "kill -s \"$1\" \"$2\"",
                "kill",
                name,
                &pid.to_string(),
            ])
            .status()?;
        ensure!(status.success(), "kill -s {name} {pid}: {status}");
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<std::process::Child>> {
        self.postmaster.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// Whether a process works in that folder, as every process of a server does in its data folder.
fn any_process_in(folder: &std::path::Path) -> Result<bool> {
    for entry in std::fs::read_dir("/proc")? {
        // It may end while it is looked at.
        if std::fs::read_link(entry?.path().join("cwd")).is_ok_and(|cwd| cwd == folder) {
            return Ok(true);
        }
    }
    Ok(false)
}
