//! The embedded mode at work: everything up in order, everything down in the other.

use anyhow::{Context, Result};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::announce::Ready;
use super::folder::{Folders, Notes};
use super::options::Options;
use super::postgres::{Plan, Postgres};
use super::{initialise, leftover, postgres, prepare};
use crate::ids;
use crate::seal::KeySource;
use crate::secret::Password;
use crate::server::{self, Running, Settings};

/// How often to see whether PostgreSQL is still there.
const LOOK: Duration = Duration::from_millis(200);

/// Serves until a signal comes or PostgreSQL ends.
pub(super) async fn serve(
    options: &Options,
    folders: &Folders,
    plan: &Plan<'_>,
    mut end: End,
) -> Result<()> {
    let mut notes = Notes::read_or_new(folders, || {
        let token = options
            .root_token
            .clone()
            .unwrap_or_else(ids::service_token);
        (random_password(), token)
    })?;
    let mut postgres = start_postgres(options, folders, plan, &mut notes)?;
    let outcome = with_postgres(options, folders, &mut notes, &mut postgres, &mut end).await;
    let stopped = postgres.stop();
    outcome.and(stopped)
}

fn start_postgres(
    options: &Options,
    folders: &Folders,
    plan: &Plan<'_>,
    notes: &mut Notes,
) -> Result<Postgres> {
    if notes.made {
        leftover::clear(plan.account, plan.data)?;
    } else {
        if plan.data.exists() {
            // An initdb that did not come to its end; nothing of anybody's is in there.
            std::fs::remove_dir_all(plan.data).context("removing a half-made data folder")?;
        }
        notes.write(folders)?;
        postgres::initdb(plan, &notes.superuser_password())?;
        notes.made = true;
        notes.write(folders)?;
    }
    let before = notes.postgres_port.filter(|port| postgres::is_free(*port));
    let server = Postgres::start(plan, options.postgres_port.or(before))?;
    if let Some(before) = notes.postgres_port
        && before != server.port()
    {
        eprintln!(
            "PostgreSQL listens on port {} now, no longer on {before}: connection URLs in database/config need a new port",
            server.port()
        );
    }
    notes.postgres_port = Some(server.port());
    notes.write(folders)?;
    Ok(server)
}

async fn with_postgres(
    options: &Options,
    folders: &Folders,
    notes: &mut Notes,
    postgres: &mut Postgres,
    end: &mut End,
) -> Result<()> {
    let password = notes.superuser_password();
    let port = postgres.port();
    prepare::databases(port, &password).await?;
    let settings = Settings {
        key_source: KeySource::File(folders.key()),
        ..Settings::new(
            &*options.listen_address,
            prepare::store_url(port, &password),
        )
    };
    let broker = server::start(settings)
        .await
        .context("starting the broker")?;
    let outcome = with_broker(options, folders, notes, &password, postgres, &broker, end).await;
    broker.shutdown().await;
    outcome
}

async fn with_broker(
    options: &Options,
    folders: &Folders,
    notes: &mut Notes,
    password: &Password,
    postgres: &mut Postgres,
    broker: &Running,
    end: &mut End,
) -> Result<()> {
    let address = format!("http://{}", broker.address());
    let token = initialise::root_token(broker, folders, notes, options.root_token.clone()).await?;
    let ready = Ready {
        address: &address,
        root_token: &token,
        postgres_port: postgres.port(),
        postgres_password: password,
        data: options.data.as_ref().map(|_| folders.kept.as_path()),
    };
    ready.print(&mut std::io::stdout())?;
    if let Some(file) = &options.info {
        ready.write_info(file)?;
    }
    let outcome = loop {
        if end.within(LOOK).await {
            break Ok(());
        }
        if postgres.ended()? {
            break Err(ended(folders));
        }
    };
    if let Some(file) = &options.info {
        let _ = std::fs::remove_file(file);
    }
    outcome
}

fn ended(folders: &Folders) -> anyhow::Error {
    let log = std::fs::read(folders.log()).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    let tail = &lines[lines.len().saturating_sub(10)..];
    anyhow::anyhow!("PostgreSQL has ended:\n{}", tail.join("\n"))
}

/// 192 bits, in digits that need no quoting anywhere.
fn random_password() -> Password {
    Password::new(hex::encode(rand::random::<[u8; 24]>()))
}

/// The signals that ask us to end.
pub(super) struct End {
    interrupt: Signal,
    terminate: Signal,
}

impl End {
    /// From now on they no longer end the process by themselves. Called inside the runtime.
    pub(super) fn listen() -> Result<End> {
        Ok(End {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits this long; whether one of them came.
    async fn within(&mut self, time: Duration) -> bool {
        tokio::select! {
            _ = self.interrupt.recv() => true,
            _ = self.terminate.recv() => true,
            () = tokio::time::sleep(time) => false,
        }
    }
}
