//! The pool, and waiting for a database that is not there yet.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

use super::MigrateError;
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
/// Connections kept aside: reads and writes of requests go together, so that few serve many.
const WARM_MAX: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Connects, waiting as long as the server can not be reached or is starting up.
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
        ]);
    let mut pause = FIRST_PAUSE;
    let mut told = false;
    loop {
        // Not through the pool, which would try again by itself and say nothing.
        let error = match PgConnection::connect_with(&options).await {
            Ok(connection) => {
                // A refused goodbye is none of our business.
                let _ = connection.close().await;
                return Ok(PgPoolOptions::new()
                    .max_connections(connections_max)
                    .acquire_timeout(ACQUIRE_TIMEOUT)
                    // A connection that worked a moment ago is not asked whether it still does.
                    .test_before_acquire(false)
                    .before_acquire(|connection, meta| {
                        Box::pin(async move {
                            if meta.idle_for > UNASKED {
                                connection.ping().await?;
                            }
                            Ok(true)
                        })
                    })
                    .connect_lazy_with(options));
            }
            Err(error) if is_passing(&error) => error,
            Err(error) => return Err(StoreError::Refused(error)),
        };
        if !told {
            tracing::warn!(
                host = options.get_host(), port = options.get_port(), database = options.get_database(),
                %error, "waiting for the store's database"
            );
            told = true;
        }
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
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
