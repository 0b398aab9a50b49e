//! A real broker process.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::cluster::wait_until;
use crate::watch::Watch;
use crate::{Actor, built, defects};

/// Longest way from nothing to ready: initdb, start, migrations.
const PATIENCE: Duration = Duration::from_secs(60);

/// The admin's policy of the guide, for the mount at `database/`.
const ADMIN_POLICY: &str = include_str!("../guide/admin.hcl");
/// The application's policy of the guide.
const APPS_POLICY: &str = include_str!("../guide/apps.hcl");

/// Arguments of `leasehold dev`, beyond those the harness gives.
#[derive(Clone, Debug, Default)]
pub struct DevOptions {
    /// `-data=DIR`.
    pub data: Option<PathBuf>,
    /// `-root-token-id=TOKEN`.
    pub root_token: Option<String>,
}

/// A running broker; stopped when dropped.
pub struct Broker {
    process: Child,
    folder: PathBuf,
    address: String,
    root_token: String,
    /// `{"host","port","user","password","database"}` of the superuser, as `-info` told.
    postgres: Value,
    /// Last, so that it is dropped when the process has been waited for.
    _watch: Watch,
}

/// Ends the process `$1`, if it still is a broker, and removes its folder.
const CLEAN_UP: &str = r#"
case "$(readlink "/proc/$1/exe")" in
*/leasehold*) kill -9 "$1" ;;
esac
rm -rf "$2"
"#;

impl Broker {
    /// `leasehold dev`: broker and an embedded PostgreSQL of its own, ready when this returns.
    pub fn dev(options: &DevOptions) -> Result<Broker> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = std::env::temp_dir().join(format!(
            "leasehold-tests-broker-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir_all(&folder)?;
        let info = folder.join("info.json");
        let log = File::create(folder.join("log"))?;
        let mut command = Command::new(built::binary()?);
        command
            .arg("dev")
            .arg("-listen-address=127.0.0.1:0")
            .arg(format!("-info={}", info.display()));
        if let Some(data) = &options.data {
            command.arg(format!("-data={}", data.display()));
        }
        if let Some(token) = &options.root_token {
            command.arg(format!("-root-token-id={token}"));
        }
        let mut process = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting leasehold dev")?;
        let watch = Watch::start(
            Command::new("sh"),
            CLEAN_UP,
            &[&process.id().to_string(), &folder.to_string_lossy()],
        )?;
        let ready = wait_until(PATIENCE, "leasehold dev is ready", || {
            if let Some(status) = process.try_wait()? {
                bail!("leasehold dev ended while starting: {status}")
            }
            Ok(info.exists())
        });
        if let Err(error) = ready {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            let _ = process.kill();
            let _ = process.wait();
            return Err(error.context(log));
        }
        let info: Value = serde_json::from_slice(&std::fs::read(&info)?)?;
        let text = |name: &str| -> Result<String> {
            let value = info.get(name).and_then(Value::as_str);
            Ok(value
                .with_context(|| format!("{name} in {info}"))?
                .to_owned())
        };
        Ok(Broker {
            address: text("address")?.trim_start_matches("http://").to_owned(),
            root_token: text("root_token")?,
            postgres: info["postgres"].clone(),
            process,
            folder,
            _watch: watch,
        })
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The broker's process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What the broker has logged so far.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder.join("log"))?)
    }

    /// A value of the embedded PostgreSQL: `host`, `port`, `user`, `password`, `database`.
    pub fn postgres(&self, name: &str) -> String {
        match &self.postgres[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// A connection URL of the embedded PostgreSQL's superuser, with placeholders for the credentials as
    /// `database/config` takes it.
    pub fn connection_url(&self) -> String {
        format!(
            "postgresql://{{{{username}}}}:{{{{password}}}}@{}:{}/{}?sslmode=disable",
            self.postgres("host"),
            self.postgres("port"),
            self.postgres("database")
        )
    }

    /// Statements through `psql` as the embedded PostgreSQL's superuser, unaligned rows without headings.
    pub fn psql(&self, statements: &str) -> Result<String> {
        let user = self.postgres("user");
        self.psql_as(&user, &self.postgres("password"), statements)
    }

    /// As [`Broker::psql`], with any login.
    pub fn psql_as(&self, user: &str, password: &str, statements: &str) -> Result<String> {
        self.psql_in(&self.postgres("database"), user, password, statements)
    }

    /// As [`Broker::psql`], in the store's database.
    pub fn psql_store(&self, statements: &str) -> Result<String> {
        let (user, password) = (self.postgres("user"), self.postgres("password"));
        self.psql_in("leasehold", &user, &password, statements)
    }

    fn psql_in(
        &self,
        database: &str,
        user: &str,
        password: &str,
        statements: &str,
    ) -> Result<String> {
        let output = Command::new("psql")
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose"])
            .args(["-h", &self.postgres("host"), "-p", &self.postgres("port")])
            .args(["-U", user, "-d", database])
            .args(["-c", statements])
            .env("PGPASSWORD", password)
            .output()
            .context("running psql")?;
        ensure!(
            output.status.success(),
            "{statements}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    /// Somebody without a token.
    pub fn nobody(&self) -> Actor {
        Actor::new(&self.address, None)
    }

    /// Whoever holds the root token.
    pub fn root(&self) -> Actor {
        Actor::new(&self.address, Some(&self.root_token))
    }

    /// The guide's admin: a new token with the policy `admin`, which is written first.
    pub fn admin(&self) -> Result<Actor> {
        self.holder("admin", ADMIN_POLICY)
    }

    /// The guide's application: a new token with the policy `apps`, which is written first.
    pub fn app(&self) -> Result<Actor> {
        self.holder("apps", APPS_POLICY)
    }

    /// A new token with one policy, which is written first.
    pub fn holder(&self, policy: &str, text: &str) -> Result<Actor> {
        let root = self.root();
        root.put(
            &format!("sys/policies/acl/{policy}"),
            json!({ "policy": text }),
        )?
        .expect(204)?;
        let token = root
            .post("auth/token/create", json!({ "policies": [policy] }))?
            .expect(200)?
            .text_at("/auth/client_token")?;
        Ok(root.with_token(&token))
    }

    /// SIGKILL, and waits for the end. What it leaves behind is what the test is about.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits for the end; an error if it does not end well or in time.
    pub fn terminate(&mut self) -> Result<()> {
        let pid = self.process.id().to_string();
        Command::new("sh")
            .args(["-c", "kill -s TERM \"$1\"", "kill", &pid])
            .status()?;
        let mut status = None;
        wait_until(PATIENCE, "the broker ends after SIGTERM", || {
            status = self.process.try_wait()?;
            Ok(status.is_some())
        })?;
        let status = status.context("a status")?;
        ensure!(status.success(), "the broker ended with {status}");
        Ok(())
    }

    fn running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let mut verdict = Ok(String::new());
        if std::thread::panicking() {
            const LINES: usize = 40;
            let log = self.log().unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(LINES)..];
            eprintln!("--- end of the broker's log\n{}\n---", tail.join("\n"));
        } else if self.running() {
            verdict = self.psql("select c::text from leasehold.check() c");
        }
        if self.running() && self.terminate().is_err() {
            let _ = self.kill();
        }
        if std::thread::panicking() {
            return;
        }
        match verdict {
            Ok(violations) if violations.is_empty() => {}
            Ok(violations) => panic!("leasehold.check():\n{violations}"),
            Err(error) => panic!("leasehold.check() could not be asked: {error:#}"),
        }
        let log = self.log().unwrap_or_default();
        defects::refuse("the broker", &defects::of_broker(&log));
    }
}
