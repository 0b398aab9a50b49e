//! Brings the store's schema up to this version. A store from a newer version is refused, not guessed at; a broker of an
//! older one that still runs beside is to be stopped first, as steps may take away what its statements name.
//!
//! Several brokers may start at once: the lock is a table lock on our own table, as any login of the database could take an advisory one.

use sqlx::{Connection, Executor, PgConnection, PgPool, Row};

use super::connect::{BEGIN_UNHURRIED, patient};

/// The schema's steps, in order; their numbers are their positions, from 1.
static STEPS: &[(&str, &str)] = &[
    ("store", include_str!("../../../sql/broker/0001_store.sql")),
    (
        "remounts",
        include_str!("../../../sql/broker/0002_remounts.sql"),
    ),
    (
        "ending_mounts",
        include_str!("../../../sql/broker/0003_ending_mounts.sql"),
    ),
    ("reads", include_str!("../../../sql/broker/0004_reads.sql")),
    (
        "lean leases",
        include_str!("../../../sql/broker/0005_lean_leases.sql"),
    ),
    (
        "intents",
        include_str!("../../../sql/broker/0006_intents.sql"),
    ),
    (
        "mount mark",
        include_str!("../../../sql/broker/0007_mount_mark.sql"),
    ),
    (
        "intents that end",
        include_str!("../../../sql/broker/0008_intents.sql"),
    ),
    (
        "mount mark, held",
        include_str!("../../../sql/broker/0009_mount_mark.sql"),
    ),
    (
        "policy mark",
        include_str!("../../../sql/broker/0010_policy_mark.sql"),
    ),
    (
        "outbox of moves",
        include_str!("../../../sql/broker/0011_outbox_moves.sql"),
    ),
];

/// The schema can not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// Made by a later version.
    #[error(
        "the store is at schema version {found}, this leasehold knows {known}: start a leasehold that is as new as the one that wrote it"
    )]
    Newer {
        /// Of the store.
        found: i32,
        /// Ours.
        known: i32,
    },
    /// A statement.
    #[error(
        "the store's schema can not be made: {0} (the login of connection_url must be able to create a schema in its database)"
    )]
    Statement(#[from] sqlx::Error),
}

/// What has to be there before the lock can be taken: what asks for it, and what makes it.
const GROUND: [(&str, &str); 2] = [
    (
        "select to_regnamespace('leasehold_broker') is not null",
        "create schema if not exists leasehold_broker",
    ),
    (
        "select to_regclass('leasehold_broker.migrations') is not null",
        "create table if not exists leasehold_broker.migrations \
         (version integer primary key, name text not null, applied_at timestamptz not null default now())",
    ),
];

/// Runs what is missing, in one transaction.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    let mut connection = patient(pool).await?;
    make_ground(&mut connection).await?;
    let mut transaction = connection.begin_with(BEGIN_UNHURRIED).await?;
    transaction
        .execute("lock table leasehold_broker.migrations in exclusive mode")
        .await?;
    let found: i32 = transaction
        .fetch_one("select coalesce(max(version), 0) from leasehold_broker.migrations")
        .await?
        .get(0);
    let known = i32::try_from(STEPS.len()).expect("few steps");
    if found > known {
        return Err(MigrateError::Newer { found, known });
    }
    for (version, (name, text)) in (1..).zip(STEPS).skip(usize::try_from(found).unwrap_or(0)) {
        sqlx::raw_sql(*text).execute(&mut *transaction).await?;
        sqlx::query("insert into leasehold_broker.migrations (version, name) values ($1, $2)")
            .bind(version)
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        tracing::debug!(version, name, "migrated the store");
    }
    transaction.commit().await?;
    if found < known {
        tracing::info!(from = found, to = known, "migrated the store");
    }
    Ok(())
}

/// `if not exists` still fails when two brokers make the same thing at the same moment, in more than one way (its row, its name, its type):
/// whatever the failure was, it does not matter if the thing is there now.
async fn make_ground(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    for (there, make) in GROUND {
        if connection.fetch_one(there).await?.get(0) {
            continue;
        }
        if let Err(failure) = connection.execute(make).await
            && !connection.fetch_one(there).await?.get::<bool, _>(0)
        {
            return Err(failure);
        }
    }
    Ok(())
}
