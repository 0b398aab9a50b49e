//! Connections: options from details, and pools that check where they have come to.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::Connection;
use sqlx::PgConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use uuid::Uuid;

use super::knock::Knock;
use super::verb::{renewals, together};
use super::{ConnectionDetails, Inner, Scope, Target, TargetError};
use crate::warm::Warm;

/// The server stops a statement that its caller has long given up on.
const STATEMENT_TIMEOUT: &str = "30s";
/// Connections idle for longer are asked whether they still live before use: of a call that is sent over a dead one it is
/// not known whether it happened, and the caller waits until that is settled.
const PROBE_AFTER: Duration = Duration::from_millis(50);
/// Unused connections are closed after this.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a caller waits for a connection of the pool.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Iterations of PostgreSQL's own verifiers unless `scram_iterations` says otherwise.
const ITERATIONS: u32 = 4_096;

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
        .ssl_mode(PgSslMode::Prefer)
        .disable_statement_logging();
    options = match parts.host.starts_with('/') {
        true => options.socket(&parts.host),
        false => options.host(&parts.host),
    };
    let mut settings = vec![
        ("TimeZone".to_owned(), "UTC".to_owned()),
        ("statement_timeout".to_owned(), STATEMENT_TIMEOUT.to_owned()),
        ("search_path".to_owned(), "pg_catalog".to_owned()),
    ];
    for (key, value) in parts.parameters {
        options = match key.as_str() {
            "sslmode" => match value.parse() {
                Ok(mode) => options.ssl_mode(mode),
                Err(_) => return Err(unfit(format!("sslmode {value:?} is not one of disable, allow, prefer, require, verify-ca, verify-full"))),
            },
            "sslrootcert" => options.ssl_root_cert(value),
            "sslcert" => options.ssl_client_cert(value),
            "sslkey" => options.ssl_client_key(value),
            "application_name" => options.application_name(&value),
            // Of the client library, not of the server; nothing here depends on them.
            "connect_timeout" | "target_session_attrs" | "gssencmode" | "channel_binding"
            | "keepalives" | "keepalives_idle" | "keepalives_interval" | "keepalives_count"
            | "tcp_user_timeout" | "sslcompression" | "sslsni" | "krbsrvname" | "passfile"
            | "service" | "client_encoding" | "fallback_application_name" => options,
            "options" => return Err(unfit("\"options\" is not supported in connection_url; give settings as parameters of their own".into())),
            _ => {
                settings.push((key, value));
                options
            }
        };
    }
    if let Some(pem) = &details.tls_ca {
        options = options.ssl_root_cert_from_pem(pem.clone().into_bytes());
    }
    if let (Some(certificate), Some(key)) = (&details.tls_certificate, &details.private_key) {
        options = options
            .ssl_client_cert_from_pem(certificate)
            .ssl_client_key_from_pem(key.expose());
    }
    Ok(Door {
        options: options.options(settings),
        address,
        knock: Knock::new(&parts.host, parts.port),
    })
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
    let iterations = Arc::new(AtomicU32::new(ITERATIONS));
    let greeted = (scope.clone(), iterations.clone());
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
            let (scope, iterations) = greeted.clone();
            Box::pin(async move {
                let used = greet(connection, target_id, &scope).await?;
                iterations.store(used, Ordering::Relaxed);
                Ok(())
            })
        })
        .connect_lazy_with(door.options);
    Ok(Target(Arc::new(Inner {
        target_id,
        scope: scope.clone(),
        warm: Warm::new(pool, details.max_open_connections as usize, PROBE_AFTER),
        address: door.address,
        knock: door.knock,
        iterations,
        recipes: Mutex::default(),
        issues: together(),
        renewals: renewals(),
    })))
}

/// Checks the installation, shows the key; gives back the server's iteration count.
async fn greet(
    connection: &mut PgConnection,
    target_id: Uuid,
    scope: &Scope,
) -> Result<u32, sqlx::Error> {
    let (found, iterations): (Uuid, i32) = sqlx::query_as(
        "select installation, coalesce(current_setting('scram_iterations', true)::int, 4096) from leasehold.installation()",
    )
    .fetch_one(&mut *connection)
    .await?;
    if found != target_id {
        return Err(sqlx::Error::Configuration(
            "this address leads to another installation of the extension than the one the configuration was verified with; \
             write the configuration again if that is meant"
                .into(),
        ));
    }
    register(connection, scope, target_id).await?;
    Ok(u32::try_from(iterations)
        .unwrap_or(ITERATIONS)
        .max(ITERATIONS))
}

/// Makes this connection's login one of the scope's.
pub(super) async fn register(
    connection: &mut PgConnection,
    scope: &Scope,
    installation: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query("select leasehold.register_scope($1, $2)")
        .bind(scope.name())
        .bind(scope.key_at(installation).expose())
        .execute(connection)
        .await
        .map(drop)
}
