//! The embedded mode that the guide plays on.

use anyhow::{Context, Result, bail, ensure};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use super::actor::Actor;
use crate::{cargo, machine};

const START: Duration = Duration::from_secs(60);
const END: Duration = Duration::from_secs(30);

/// A running `leasehold dev`, and what it said of itself.
pub(super) struct Stage {
    broker: Child,
    /// A shell that ends the broker when we are gone, however.
    _watch: ChildStdin,
    address: String,
    root_token: String,
    pub(super) postgres_port: String,
    pub(super) postgres_user: String,
    pub(super) postgres_password: String,
}

impl Stage {
    /// Starts it, on free ports, and waits until it is ready.
    pub(super) fn set() -> Result<Stage> {
        let info =
            std::env::temp_dir().join(format!("leasehold-guide-{}.json", std::process::id()));
        let mut broker = Command::new(cargo::release_folder().join("leasehold"))
            .args(["dev", "-listen-address=127.0.0.1:0"])
            .arg(format!("-info={}", info.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting leasehold dev")?;
        let watch = watch(&broker)?;
        let begin = Instant::now();
        let text = loop {
            if let Ok(text) = std::fs::read_to_string(&info) {
                break text;
            }
            if let Some(status) = broker.try_wait()? {
                bail!(
                    "leasehold dev ended while starting: {status}; run `cargo xtask dev` to see why"
                );
            }
            ensure!(begin.elapsed() < START, "leasehold dev is not ready");
            std::thread::sleep(Duration::from_millis(20));
        };
        let value = |key: &str| {
            member(&text, key).with_context(|| format!("no {key} in what leasehold dev said"))
        };
        Ok(Stage {
            broker,
            _watch: watch,
            address: value("address")?,
            root_token: value("root_token")?,
            postgres_port: value("port")?,
            postgres_user: value("user")?,
            postgres_password: value("password")?,
        })
    }

    /// Takes it down; an error if it does not go down well.
    pub(super) fn strike(mut self) -> Result<()> {
        let pid = self.broker.id().to_string();
        Command::new("sh")
            .args(["-c", "kill -s INT \"$1\"", "sh", &pid])
            .status()?;
        let begin = Instant::now();
        loop {
            if let Some(status) = self.broker.try_wait()? {
                ensure!(status.success(), "leasehold dev ended with {status}");
                return Ok(());
            }
            ensure!(begin.elapsed() < END, "leasehold dev does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whoever holds the root token.
    pub(super) fn root(&self) -> Actor {
        self.holder("root", &self.root_token)
    }

    /// Somebody with a token.
    pub(super) fn holder(&self, name: &'static str, token: &str) -> Actor {
        self.actor(
            name,
            vec![
                ("VAULT_ADDR", self.address.clone()),
                ("VAULT_TOKEN", token.to_owned()),
            ],
        )
    }

    /// The superuser of the database.
    pub(super) fn dba(&self) -> Actor {
        self.login("dba", &self.postgres_user, &self.postgres_password)
    }

    /// Somebody at `psql`.
    pub(super) fn login(&self, name: &'static str, user: &str, password: &str) -> Actor {
        self.actor(
            name,
            vec![
                ("PGHOST", "127.0.0.1".to_owned()),
                ("PGPORT", self.postgres_port.clone()),
                ("PGDATABASE", "postgres".to_owned()),
                ("PGUSER", user.to_owned()),
                ("PGPASSWORD", password.to_owned()),
            ],
        )
    }

    fn actor(&self, name: &'static str, environment: Vec<(&'static str, String)>) -> Actor {
        let program = cargo::release_folder();
        let servers = PathBuf::from(machine::PG_CONFIG);
        let servers = servers.parent().unwrap_or(&program);
        Actor {
            name,
            environment,
            path: format!("{}:{}", program.display(), servers.display()),
            folder: cargo::top().join("tests/guide"),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if matches!(self.broker.try_wait(), Ok(None)) {
            // It takes its PostgreSQL along.
            let _ = self.broker.kill();
            let _ = self.broker.wait();
        }
    }
}

/// Ends the broker when the pipe that we hold closes: also when we are killed.
fn watch(broker: &Child) -> Result<ChildStdin> {
    let mut shell = Command::new("sh")
        .args([
            "-c",
            "cat >/dev/null; case $(readlink \"/proc/$1/exe\") in */leasehold*) kill -s TERM \"$1\" ;; esac",
            "sh",
            &broker.id().to_string(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("running sh")?;
    shell.stdin.take().context("the pipe to sh")
}

/// The value of a key in flat enough JSON: all that is read here is what our own program wrote.
fn member(text: &str, key: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("\"{key}\":"))?;
    let rest = rest.trim_start();
    match rest.strip_prefix('"') {
        Some(rest) => rest.split('"').next(),
        None => rest.split([',', '\n', '}']).next().map(str::trim),
    }
    .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::member;

    #[test]
    fn members_are_found_at_any_depth() {
        let text = "{\n \"pid\": 7,\n \"postgres\": {\"host\": \"h\", \"port\": 5}\n}";
        let check = |key: &str, expect: Option<&str>| {
            assert_eq!(member(text, key).as_deref(), expect, "{key}");
        };
        check("pid", Some("7"));
        check("host", Some("h"));
        check("port", Some("5"));
        check("user", None);
    }
}
