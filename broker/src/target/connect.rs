//! Connections: options from details, and pools that check where they have come to.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::Connection;
use sqlx::PgConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::greeting::Greetings;
use super::knock::Knock;
use super::tls;
use super::verb::{renewals, together};
use super::{ConnectionDetails, Inner, Scope, Target, TargetError};
use crate::warm::Warm;

/// The server stops a statement that its caller has long given up on.
const STATEMENT_TIMEOUT: &str = "30s";
/// Somebody's open transaction may hold what a statement of a recipe needs. It is better told than waited for: others go in the
/// same call, or wait for the same connections.
const LOCK_TIMEOUT: &str = "4s";
/// Connections idle for longer are asked whether they still live before use: of a call that is sent over a dead one it is
/// not known whether it happened, and the caller waits until that is settled.
const PROBE_AFTER: Duration = Duration::from_millis(50);
/// Unused connections are closed after this.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a caller waits for a connection of the pool.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Options and a name for messages (without secrets).
pub(super) struct Door {
    pub options: PgConnectOptions,
    pub address: String,
    pub knock: Knock,
}

/// Details to options. Errors are texts for the client.
pub(super) fn door(details: &ConnectionDetails) -> Result<Door, TargetError> {
    let unfit = |why: String| TargetError::Unfit(why);
    let parts = details
        .connection_string()
        .map_err(|error| unfit(error.to_string()))?;
    let database = parts.database.clone().unwrap_or_else(|| parts.user.clone());
    let address = format!(
        "`user={} database={} host={} port={}`",
        parts.user, database, parts.host, parts.port
    );
    let mut options = PgConnectOptions::new_without_pgpass()
        .port(parts.port)
        .username(&parts.user)
        .password(parts.password.as_ref().map_or("", |p| p.expose()))
        .database(&database)
        .application_name("leasehold")
        .disable_statement_logging();
    options = match parts.host.starts_with('/') {
        true => options.socket(&parts.host),
        false => options.host(&parts.host),
    };
    let mut settings = vec![
        ("TimeZone".to_owned(), "UTC".to_owned()),
        ("statement_timeout".to_owned(), STATEMENT_TIMEOUT.to_owned()),
        ("lock_timeout".to_owned(), LOCK_TIMEOUT.to_owned()),
        ("search_path".to_owned(), "pg_catalog".to_owned()),
    ];
    options = tls::protect(options, &parts, details).map_err(unfit)?;
    for (key, value) in parts.parameters {
        if tls::PARAMETERS.contains(&key.as_str()) {
            continue;
        }
        options = match key.as_str() {
            "application_name" => options.application_name(&value),
            // Of the client library, not of the server; nothing here depends on them.
            "connect_timeout" | "target_session_attrs" | "keepalives" | "keepalives_idle"
            | "keepalives_interval" | "keepalives_count" | "tcp_user_timeout" | "sslcompression"
            | "sslsni" | "krbsrvname" | "passfile" | "service" | "client_encoding"
            | "fallback_application_name" => options,
            "options" => return Err(unfit("\"options\" is not supported in connection_url; give settings as parameters of their own".into())),
            _ => {
                settings.push((key, value));
                options
            }
        };
    }
    Ok(Door {
        options: options.options(settings),
        address,
        knock: Knock::new(&parts.host, parts.port),
    })
}

/// How many connections may be busy with statements of recipes, which lock what nobody here knows: an end always finds another one.
fn for_statements(connections: u32) -> usize {
    connections.saturating_sub(1).max(1) as usize
}

/// Words of a failed connection, with whatever looks like the password masked.
pub(super) fn unreachable(
    address: &str,
    error: &sqlx::Error,
    details: Option<&ConnectionDetails>,
) -> TargetError {
    let mut why = match error {
        sqlx::Error::Database(error) => format!(
            "{} (SQLSTATE {})",
            error.message(),
            error.code().unwrap_or_default()
        ),
        sqlx::Error::PoolTimedOut => {
            "all connections are in use, or none could be made in time".into()
        }
        other => other.to_string(),
    };
    if let Some(details) = details {
        let password = details.password.expose();
        if !password.is_empty() {
            why = why.replace(password, "*****");
        }
    }
    TargetError::Unreachable {
        address: address.to_owned(),
        why,
    }
}

/// One connection outside any pool, for verification.
pub(super) async fn single(
    door: &Door,
    details: &ConnectionDetails,
) -> Result<PgConnection, TargetError> {
    match tokio::time::timeout(ACQUIRE_TIMEOUT, PgConnection::connect_with(&door.options)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(unreachable(&door.address, &error, Some(details))),
        Err(_) => Err(TargetError::Unreachable {
            address: door.address.clone(),
            why: format!("no answer within {} s", ACQUIRE_TIMEOUT.as_secs()),
        }),
    }
}

/// A pool whose every connection has proved where it is and who it is.
pub(super) fn pool(
    target_id: Uuid,
    details: &ConnectionDetails,
    scope: &Scope,
) -> Result<Target, TargetError> {
    let door = door(details)?;
    let greetings = Arc::new(Greetings::new(
        target_id,
        scope.clone(),
        door.address.clone(),
    ));
    let greeting = greetings.clone();
    let pool = PgPoolOptions::new()
        .max_connections(details.max_open_connections)
        .min_connections(0)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // Of a target that is away whoever misses it tells, once.
        .acquire_slow_threshold(ACQUIRE_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
        .max_lifetime(details.max_connection_lifetime)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > PROBE_AFTER {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| {
            let greeting = greeting.clone();
            Box::pin(async move { greeting.greet(connection).await })
        })
        .connect_lazy_with(door.options);
    Ok(Target(Arc::new(Inner {
        target_id,
        scope: scope.clone(),
        warm: Warm::new(pool, details.max_open_connections as usize, PROBE_AFTER),
        address: door.address,
        knock: door.knock,
        greetings,
        recipes: Mutex::default(),
        issues: together(),
        renewals: renewals(),
        statements: Semaphore::new(for_statements(details.max_open_connections)),
    })))
}
