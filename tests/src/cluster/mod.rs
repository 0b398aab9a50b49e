//! A throw-away PostgreSQL of its own for one test, with the extension preloaded and created.
//!
//! It lives below the temporary folder, listens on its own port and socket folder, runs as another system user when
//! the test is root, and is gone after the test: also after a panic ([`Cluster`] stops it when dropped) and after the
//! death of the test process (a watching shell notices). Dropping it first asks `leasehold.check()` in every
//! database that has the extension; an answer fails the test, and so does a step of a worker that failed ([`defects`]).

mod control;
mod distribution;
mod held;
mod options;
mod place;
mod prefix;
mod session;
mod standby;
mod template;

use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Child;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::defects;

pub use control::Stop;
pub use options::Options;
pub(crate) use place::new_folder;

/// One running PostgreSQL cluster.
pub struct Cluster {
    /// Holds `data`, `socket` and `log`.
    folder: PathBuf,
    port: u16,
    options: Options,
    /// The postmaster; `None` while stopped.
    postmaster: Mutex<Option<Child>>,
}

impl Cluster {
    /// Makes a cluster from the template of this run and starts it; with [`Options::extension`], the extension
    /// exists in database `postgres` when this returns.
    pub fn start(options: Options) -> Result<Cluster> {
        let template = template::of_this_run()?;
        let folder = place::new_folder("c")?;
        place::as_server_user("cp")
            .arg("-a")
            .arg(&template)
            .arg(folder.join("data"))
            .status()
            .context("copying the template")
            .and_then(|status| {
                anyhow::ensure!(status.success(), "copying the template: {status}");
                Ok(())
            })?;
        place::make_folder(&folder.join("socket"))?;
        let mut cluster = Cluster {
            folder,
            port: 0,
            options,
            postmaster: Mutex::new(None),
        };
        cluster.start_first()?;
        if cluster.options.extension {
            cluster
                .psql("create extension leasehold")
                .context("creating the extension")?;
        }
        Ok(cluster)
    }

    /// Where the cluster listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The data folder.
    pub fn data_folder(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The folder of the Unix socket (where everybody is trusted).
    pub fn socket_folder(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// The whole server log so far.
    pub fn log(&self) -> Result<String> {
        let bytes = std::fs::read(self.folder.join("log")).context("reading the server log")?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What `leasehold.check()` says, in every database that has the extension: one line a violation.
    /// After a crash or under load the workers need a moment, so an answer counts only if it stays for five seconds.
    pub fn violations(&self) -> Result<Vec<String>> {
        const PATIENCE: Duration = Duration::from_secs(5);
        let begin = Instant::now();
        loop {
            let mut seen = Vec::new();
            for database in self.databases_with_extension()? {
                let rows = self.psql_in(&database, "select c::text from leasehold.check() c")?;
                seen.extend(rows.lines().map(|row| format!("{database}: {row}")));
            }
            if seen.is_empty() || begin.elapsed() > PATIENCE {
                return Ok(seen);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn databases_with_extension(&self) -> Result<Vec<String>> {
        let all = self.psql("select datname from pg_database where datallowconn")?;
        let mut with = Vec::new();
        for database in all.lines() {
            let found = self.psql_in(
                database,
                "select 1 from pg_extension where extname = 'leasehold'",
            )?;
            if !found.is_empty() {
                with.push(database.to_owned());
            }
        }
        Ok(with)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let verdict = if std::thread::panicking() || !self.running() {
            None
        } else {
            Some(self.violations())
        };
        let _ = self.stop(Stop::Immediate);
        if std::thread::panicking() {
            self.show_log();
        }
        let log = self.log().unwrap_or_default();
        if !place::keep() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
        match verdict {
            None => {}
            Some(Ok(violations)) if violations.is_empty() => {}
            Some(Ok(violations)) => panic!("leasehold.check():\n{}", violations.join("\n")),
            Some(Err(error)) => panic!("leasehold.check() could not be asked: {error:#}"),
        }
        defects::refuse("PostgreSQL", &defects::of_server(&log));
    }
}

/// Asks again, every few milliseconds, until the answer is yes; an error after `limit`, naming `what`.
pub fn wait_until(
    limit: Duration,
    what: &str,
    mut ready: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let begin = Instant::now();
    loop {
        if ready()? {
            return Ok(());
        }
        anyhow::ensure!(begin.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
