//! The pool, and waiting for a database that is not there yet, or is not the primary's.

use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool, Postgres};
use tokio::time::timeout;

use super::{MigrateError, standing};
use crate::secret::ConnectionUrl;
use crate::warm::Warm;

/// The store can not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL; its text is not repeated, a password is in it.
    #[error("storage \"postgresql\": connection_url can not be read: {0}")]
    Url(&'static str),
    /// Refused in a way that waiting does not cure.
    #[error("the store refuses the connection: {0}")]
    Refused(sqlx::Error),
    /// The schema.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// A statement at start.
    #[error("the store failed at start: {0}")]
    Statement(#[from] sqlx::Error),
}

/// How long a request waits for a connection before it says that the store can not be reached.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may have been idle to be used without a question.
const UNASKED: Duration = Duration::from_millis(250);
/// How long a connection may take to say that it is still one, and a new one to be made. Both fit into a request's wait.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// How long the first connection may take before another one is tried.
const FIRST_WITHIN: Duration = Duration::from_secs(10);
/// The server stops a statement whose caller has long given up on it. Callers wait a little longer
/// ([`crate::warm::WRITTEN_WITHIN`]).
const STATEMENT_TIMEOUT: &str = "30s";
/// Begins a transaction whose statements take as long as there is to do.
pub(super) const BEGIN_UNHURRIED: &str = "begin; set local statement_timeout = 0";
/// Connections kept aside: reads and writes of requests go together, so that few serve many.
const WARM_MAX: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Connects, waiting as long as the server can not be reached, is starting up or takes no writes.
pub async fn connect(url: &ConnectionUrl, connections_max: u32) -> Result<PgPool, StoreError> {
    let options = PgConnectOptions::from_str(url.expose())
        .map_err(|_| StoreError::Url("postgres://USER:PASSWORD@HOST:PORT/DATABASE is wanted"))?
        .application_name("leasehold")
        // An answered write is a durable one, whatever the database's own settings say.
        .options([("synchronous_commit", "on")])
        // Statements are constant and every one has its index: planned once a connection, and not by the size that a
        // table had at that moment. Planning an issue's anew each time cost more than running it.
        .options([
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            // What is asked for is in memory: a look by an index is cheap, also beside reading a whole table of today.
            ("random_page_cost", "0.1"),
            ("seq_page_cost", "0.1"),
            ("jit", "off"),
        ])
        // A broker whose host is gone keeps no row, and no session, for itself.
        .options([
            ("statement_timeout", STATEMENT_TIMEOUT),
            ("idle_in_transaction_session_timeout", "60s"),
            ("tcp_keepalives_idle", "30"),
            ("tcp_keepalives_interval", "10"),
            ("tcp_keepalives_count", "3"),
        ]);
    let mut pause = FIRST_PAUSE;
    let mut told = String::new();
    loop {
        // Not through the pool, which would try again by itself and say nothing.
        let tried = timeout(FIRST_WITHIN, first(&options)).await;
        let why = match tried.unwrap_or_else(|late| Err(sqlx::Error::Io(late.into()))) {
            Ok(None) => return Ok(pool(options, connections_max)),
            Ok(Some(why)) => why.to_owned(),
            Err(error) if is_passing(&error) => error.to_string(),
            Err(error) => return Err(StoreError::Refused(error)),
        };
        if told != why {
            tracing::warn!(
                host = options.get_host(),
                port = options.get_port(),
                database = options.get_database(),
                error = why,
                "waiting for the store's database"
            );
            told = why;
        }
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// One connection, to see that there is a server, and why it is no store if it takes no writes.
async fn first(options: &PgConnectOptions) -> sqlx::Result<Option<&'static str>> {
    let mut connection = PgConnection::connect_with(options).await?;
    let refusal = standing::refusal(&mut connection).await?;
    // A refused goodbye is none of our business.
    let _ = connection.close().await;
    Ok(refusal)
}

/// A pool of connections to a server that takes writes: each is looked at when it is made. No server becomes a standby with
/// sessions that it has, so one that has slept is only asked whether it still answers.
fn pool(options: PgConnectOptions, connections_max: u32) -> PgPool {
    let silence = Arc::new(Silence::default());
    PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| Box::pin(standing::check(connection)))
        // A connection that worked a moment ago is not asked whether it still does.
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            let silence = silence.clone();
            Box::pin(async move {
                if meta.idle_for <= UNASKED {
                    return Ok(true);
                }
                silence.answers(connection, meta.idle_for).await
            })
        })
        .connect_lazy_with(options)
}

/// A connection of the pool, waiting as [`connect`] does: the server may have gone in between, or another have taken its place.
pub(super) async fn patient(pool: &PgPool) -> sqlx::Result<PoolConnection<Postgres>> {
    loop {
        match pool.acquire().await {
            Err(error) if is_passing(&error) => {
                tracing::warn!(%error, "waiting for the store's database");
                tokio::time::sleep(LONGEST_PAUSE).await;
            }
            done => return done,
        }
    }
}

/// When a connection of a pool has kept silent, last. Those that were idle then come from before whatever has happened: they
/// are not to be waited for one after the other.
#[derive(Default)]
struct Silence(Mutex<Option<Instant>>);

impl Silence {
    /// Whether a connection that was idle for so long can be used; else the pool makes another one.
    async fn answers(
        &self,
        connection: &mut PgConnection,
        idle_for: Duration,
    ) -> sqlx::Result<bool> {
        if is_from_before(self.last(), Instant::now(), idle_for) {
            return Ok(false);
        }
        let asked = timeout(ANSWERS_WITHIN, connection.ping()).await;
        if let Ok(answered) = asked {
            return answered.map(|()| true);
        }
        tracing::warn!("a connection to the store keeps silent; others are made");
        *self.0.lock().unwrap_or_else(|broken| broken.into_inner()) = Some(Instant::now());
        Ok(false)
    }

    fn last(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

/// Whether what is idle for so long was so before another kept silent.
fn is_from_before(silent_at: Option<Instant>, now: Instant, idle_for: Duration) -> bool {
    silent_at.is_some_and(|at| now.saturating_duration_since(at) < idle_for)
}

/// Whether the server stopped a statement because of [`STATEMENT_TIMEOUT`].
pub(super) fn took_too_long(error: &sqlx::Error) -> bool {
    has_code(error, "57014")
}

/// Whether the server rolled it back to let somebody else pass.
pub fn is_deadlock(error: &sqlx::Error) -> bool {
    has_code(error, "40P01")
}

fn has_code(error: &sqlx::Error, sqlstate: &str) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.as_deref() == Some(sqlstate)
}

/// Of the pool's connections those that are kept aside for the next statement; most are left to transactions.
pub fn warm(pool: &PgPool) -> Warm {
    let most = (pool.options().get_max_connections() / 4).min(WARM_MAX);
    Warm::new(pool.clone(), most as usize, UNASKED)
}

/// Whether waiting may help: nobody listens, or the server is starting, stopping or full.
fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("57P") || code == "53300" || code == "3D000"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_idle_when_another_kept_silent_is_not_asked() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let check = |silent_at: Option<u64>, idle_seconds, before| {
            let found = is_from_before(
                silent_at.map(at),
                at(100),
                Duration::from_secs(idle_seconds),
            );
            assert_eq!(found, before, "{silent_at:?} {idle_seconds}");
        };
        check(None, 99, false);
        check(Some(90), 99, true);
        check(Some(90), 11, true);
        check(Some(90), 9, false);
        check(Some(100), 1, true);
    }
}
