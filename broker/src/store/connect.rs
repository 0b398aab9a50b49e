//! The pool, and waiting for a database that is not there yet.

use std::str::FromStr;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::MigrateError;
use crate::secret::ConnectionUrl;

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

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Connects, waiting as long as the server can not be reached or is starting up.
pub async fn connect(url: &ConnectionUrl, connections_max: u32) -> Result<PgPool, StoreError> {
    let options = PgConnectOptions::from_str(url.expose())
        .map_err(|_| StoreError::Url("postgres://USER:PASSWORD@HOST:PORT/DATABASE is wanted"))?
        .application_name("leasehold")
        // An answered write is a durable one, whatever the database's own settings say.
        .options([("synchronous_commit", "on")]);
    let pool = PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(Duration::from_secs(10))
        .connect_lazy_with(options.clone());
    let mut pause = FIRST_PAUSE;
    let mut told = false;
    loop {
        let error = match pool.acquire().await {
            Ok(_) => return Ok(pool),
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
