//! What the embedded PostgreSQL needs before a broker can use it: the extension, and a database for the store.

use anyhow::{Context, Result};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{Connection, Executor};

use crate::secret::{ConnectionUrl, Password};

/// Superuser of the embedded server.
pub(super) const SUPERUSER: &str = "postgres";
/// Database that has the extension.
pub(super) const DATABASE: &str = "postgres";
/// Database of the broker's store.
const STORE: &str = "leasehold";

/// Creates the extension, or brings it to our version, and the store's database where it is not there yet.
pub(super) async fn databases(port: u16, password: &Password) -> Result<()> {
    let options = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username(SUPERUSER)
        .password(password.expose())
        .database(DATABASE)
        .ssl_mode(PgSslMode::Disable);
    let mut session = PgConnection::connect_with(&options)
        .await
        .context("connecting to the embedded PostgreSQL")?;
    let exists = |query: &'static str| sqlx::query_scalar::<_, bool>(query);
    let extension: bool =
        exists("select exists (select from pg_extension where extname = 'leasehold')")
            .fetch_one(&mut session)
            .await?;
    session
        .execute(if extension {
            "alter extension leasehold update"
        } else {
            "create extension leasehold"
        })
        .await
        .context("creating the extension")?;
    let store: bool = exists("select exists (select from pg_database where datname = 'leasehold')")
        .fetch_one(&mut session)
        .await?;
    if !store {
        session
            .execute("create database leasehold")
            .await
            .context("creating the store's database")?;
    }
    session.close().await?;
    Ok(())
}

/// How the broker reaches its store.
pub(super) fn store_url(port: u16, password: &Password) -> ConnectionUrl {
    let password = password.expose();
    ConnectionUrl::new(format!(
        "postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/{STORE}?sslmode=disable"
    ))
}
