//! A real broker process beside a [`Cluster`]: `leasehold server` with a configuration file, the store in a database
//! of the cluster. For tests that kill the one and not the other.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::cluster::wait_until;
use crate::{Actor, Cluster, built, defects};

/// Longest way from a start, or from a crash of the store, to an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker on a store of its own, or one of several on one store; killed when dropped.
pub struct Served {
    process: Option<Child>,
    folder: PathBuf,
    address: String,
    /// Port and name of the store's database.
    store: (u16, String),
    environment: Vec<(String, String)>,
    unseal_key: String,
    root_token: String,
}

/// How a broker differs from the usual.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Port under which it reaches the store's server, if it is not the server's own.
    pub store_port: Option<u16>,
    /// More lines of configuration.
    pub more: String,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
}

impl Served {
    /// Makes database `store` in the cluster, starts a broker on it, initialises and unseals it.
    /// `more` is added to the configuration.
    pub fn start(cluster: &Cluster, store: &str, more: &str) -> Result<Served> {
        cluster.create_database(store)?;
        let setup = Setup {
            more: more.to_owned(),
            ..Setup::default()
        };
        let mut served = Served::spawned(cluster.port(), store, &setup)?;
        served.until_answers(|status| status == 501)?;
        served.initialise()?;
        Ok(served)
    }

    /// Starts a broker on a database that is there, whatever is in it; it may be sealed, or not initialised.
    pub fn spawned(port: u16, store: &str, setup: &Setup) -> Result<Served> {
        let folder = tempfile_folder()?;
        let address = format!("127.0.0.1:{}", crate::port::free()?);
        let url = format!(
            "postgresql://{}:{}@127.0.0.1:{}/{store}?sslmode=disable",
            Cluster::SUPERUSER,
            Cluster::SUPERUSER_PASSWORD,
            setup.store_port.unwrap_or(port)
        );
        let config = format!(
            "listener \"tcp\" {{\n  address = \"{address}\"\n  tls_disable = true\n}}\n\
             storage \"postgresql\" {{\n  connection_url = \"{url}\"\n}}\n{}\n",
            setup.more
        );
        std::fs::write(folder.join("config.hcl"), config)?;
        let mut served = Served {
            process: None,
            folder,
            address,
            store: (port, store.to_owned()),
            environment: setup.environment.clone(),
            unseal_key: String::new(),
            root_token: String::new(),
        };
        served.spawn()?;
        Ok(served)
    }

    /// Another broker on the same store, unsealed.
    pub fn beside(&self, setup: &Setup) -> Result<Served> {
        let mut served = Served::spawned(self.store.0, &self.store.1, setup)?;
        served.unseal_key.clone_from(&self.unseal_key);
        served.root_token.clone_from(&self.root_token);
        served.until_answers(|status| status == 503 || status == 200)?;
        served.unseal()?;
        Ok(served)
    }

    /// Initialises the store with one share, and unseals this broker.
    pub fn initialise(&mut self) -> Result<()> {
        let made = self
            .nobody()
            .put(
                "sys/init",
                json!({"secret_shares": 1, "secret_threshold": 1}),
            )?
            .expect(200)?;
        self.unseal_key = made.text_at("/keys_base64/0")?;
        self.root_token = made.text_at("/root_token")?;
        self.unseal()
    }

    fn spawn(&mut self) -> Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))?;
        let child = Command::new(built::binary()?)
            .arg("server")
            .arg(format!(
                "-config={}",
                self.folder.join("config.hcl").display()
            ))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting leasehold server")?;
        self.process = Some(child);
        Ok(())
    }

    /// Waits until `sys/health` answers with such a status.
    pub fn until_answers(&self, wanted: impl Fn(u16) -> bool) -> Result<()> {
        let nobody = self.nobody();
        wait_until(PATIENCE, "the broker answers", || {
            Ok(nobody
                .get("sys/health")
                .is_ok_and(|answer| wanted(answer.status)))
        })
        .with_context(|| self.log().unwrap_or_default())
    }

    fn unseal(&self) -> Result<()> {
        let answer = self
            .nobody()
            .put("sys/unseal", json!({"key": self.unseal_key}))?
            .expect(200)?;
        ensure!(answer.body["sealed"] == json!(false), "{}", answer.text);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.process.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        self.tell_to_end()?;
        let mut child = self.process.take().context("a running broker")?;
        Ok(child.wait()?)
    }

    /// SIGTERM.
    pub fn tell_to_end(&self) -> Result<()> {
        self.signal("-TERM")
    }

    /// SIGHUP.
    pub fn tell_to_reload(&self) -> Result<()> {
        self.signal("-HUP")
    }

    fn signal(&self, option: &str) -> Result<()> {
        let pid = self.pid().context("a running broker")?;
        let told = Command::new("kill")
            .arg(option)
            .arg(pid.to_string())
            .status()?;
        ensure!(told.success(), "kill {option}: {told}");
        Ok(())
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Where it listens, `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Starts it again on the same store and address, and unseals it.
    pub fn start_again(&mut self) -> Result<()> {
        self.spawn()?;
        self.until_answers(|status| status == 503 || status == 200)?;
        self.unseal()
    }

    /// Waits until a request that needs the store is served, as after a restart of PostgreSQL.
    pub fn until_serving(&mut self) -> Result<()> {
        let root = self.root();
        wait_until(PATIENCE, "the broker reaches its store", || {
            Ok(root
                .get("auth/token/lookup-self")
                .is_ok_and(|answer| answer.status == 200))
        })
        .with_context(|| self.log().unwrap_or_default())
    }

    /// The first root token.
    pub fn root_token(&self) -> &str {
        &self.root_token
    }

    /// Somebody without a token.
    pub fn nobody(&self) -> Actor {
        Actor::new(&self.address, None)
    }

    /// Whoever holds the first root token.
    pub fn root(&self) -> Actor {
        Actor::new(&self.address, Some(&self.root_token))
    }

    /// A new token with one policy, which is written first; `more` goes into the token's creation.
    pub fn holder(&self, policy: &str, text: &str, more: serde_json::Value) -> Result<Actor> {
        let root = self.root();
        root.put(
            &format!("sys/policies/acl/{policy}"),
            json!({ "policy": text }),
        )?
        .expect(204)?;
        let mut wanted = json!({ "policies": [policy] });
        if let (Some(wanted), Some(more)) = (wanted.as_object_mut(), more.as_object()) {
            wanted.extend(more.clone());
        }
        let token = root
            .post("auth/token/create", wanted)?
            .expect(200)?
            .text_at("/auth/client_token")?;
        Ok(root.with_token(&token))
    }

    /// What it has logged so far, over all starts.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder.join("log"))?)
    }

    /// The key that unseals it, for tests that look for secrets.
    pub fn unseal_key(&self) -> &str {
        &self.unseal_key
    }
}

fn tempfile_folder() -> Result<PathBuf> {
    let name = format!(
        "leasehold-tests-served-{}-{}",
        std::process::id(),
        uuid::Uuid::new_v4()
    );
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.kill();
        let log = self.log().unwrap_or_default();
        if std::thread::panicking() {
            eprintln!("--- the broker's log\n{log}\n---");
        }
        let _ = std::fs::remove_dir_all(&self.folder);
        defects::refuse("the broker", &defects::of_broker(&log));
    }
}
