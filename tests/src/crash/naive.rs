//! The negative control: leases as a client outside the server would keep them, login and lease in a transaction each.
//! The server here knows nothing of leases; the tables are the client's own.

use anyhow::{Context, Result};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::kind::{Kind, crash_cluster};
use crate::{Cluster, Options};

/// As many as the other way has, and half again.
const CLIENTS: usize = 6;
/// Between the two transactions of a client that is not in the server: a way there and back.
const WAY: Duration = Duration::from_millis(1);

/// A cluster with the client's own table of leases.
pub struct Naive {
    cluster: Cluster,
    named: usize,
}

impl Naive {
    /// A cluster without the extension.
    pub fn start(options: &Options) -> Result<Naive> {
        let mut plain = options.clone().without_preload();
        plain.extension = false;
        let cluster = Cluster::start(plain)?;
        cluster
            .psql("create table naive_leases (lease_id text primary key, login text not null)")?;
        Ok(Naive { cluster, named: 0 })
    }

    /// Clients issue and revoke, and PostgreSQL (or the clients, where it is the broker's turn) dies in the way of `kind`
    /// after `after`. How many logins have no lease, and leases no login, when all is back.
    pub fn crash(&mut self, kind: Kind, after: Duration) -> Result<usize> {
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<JoinHandle<()>> = (0..CLIENTS)
            .map(|_| {
                self.named += 1;
                let (stop, name) = (stop.clone(), format!("n-{}", self.named));
                let at = self.cluster.socket(Cluster::SUPERUSER, "postgres");
                // An error is the crash.
                std::thread::spawn(move || drop(live(at, &name, &stop)))
            })
            .collect();
        std::thread::sleep(after);
        if matches!(kind, Kind::Broker | Kind::Everything) {
            stop.store(true, Ordering::Relaxed);
        }
        crash_cluster(&self.cluster, kind)?;
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().ok().context("a client panicked")?;
        }
        self.violations()
    }

    /// How many logins have no lease, and leases no login.
    pub fn violations(&self) -> Result<usize> {
        let count = self.cluster.psql(
            "select count(*) from (select rolname from pg_roles where rolname like 'n-%') r \
               full join naive_leases l on l.login = r.rolname where l.login is null or r.rolname is null",
        )?;
        count.parse().context("a count")
    }
}

fn live(at: PgConnectOptions, name: &str, stop: &AtomicBool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut session = PgConnection::connect_with(&at).await?;
        work(&mut session, name, stop).await?;
        Ok(())
    })
}

/// Issues, and revokes one in three. Between any two statements the client may be told that it is dead.
async fn work(
    session: &mut PgConnection,
    name: &str,
    stop: &AtomicBool,
) -> Result<(), sqlx::Error> {
    for number in 0_u64.. {
        let login = format!("{name}-{number}");
        let create =
            format!("create role \"{login}\" login password 'naive' valid until 'infinity'");
        let note = format!("insert into naive_leases values ('{login}', '{login}')");
        let drop = format!("drop role \"{login}\"");
        let forget = format!("delete from naive_leases where login = '{login}'");
        let both = [note, create];
        let end = if number % 3 == 0 {
            vec![drop, forget]
        } else {
            Vec::new()
        };
        for statement in both.into_iter().chain(end) {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            session.execute(AssertSqlSafe(statement)).await?;
            tokio::time::sleep(WAY).await;
        }
    }
    Ok(())
}
