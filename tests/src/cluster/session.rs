//! Ways to speak SQL to a cluster: sqlx sessions for what is asynchronous, `psql` for everything quick.

use anyhow::{Context, Result, ensure};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, Connection, Row};
use std::io::Write;
use std::process::Stdio;

use super::template::SUPERUSER_PASSWORD;
use super::{Cluster, place, prefix};

impl Cluster {
    /// Superuser's name over socket and TCP.
    pub const SUPERUSER: &'static str = "postgres";
    /// Superuser's password over TCP.
    pub const SUPERUSER_PASSWORD: &'static str = SUPERUSER_PASSWORD;

    /// Over the Unix socket, where everybody is trusted.
    pub fn socket(&self, user: &str, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.socket_folder())
            .port(self.port())
            .username(user)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    /// Over TCP, where a password is asked for (SCRAM).
    pub fn tcp(&self, user: &str, password: &str, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port())
            .username(user)
            .password(password)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    /// A connection URL over TCP, as configurations want it.
    pub fn url(&self, user: &str, password: &str, database: &str) -> String {
        format!(
            "postgresql://{user}:{password}@127.0.0.1:{}/{database}?sslmode=disable",
            self.port()
        )
    }

    /// A session of the superuser in database `postgres`.
    pub async fn connect(&self) -> Result<PgConnection> {
        self.connect_to("postgres").await
    }

    /// A session of the superuser in that database.
    pub async fn connect_to(&self, database: &str) -> Result<PgConnection> {
        self.connect_trusted(Self::SUPERUSER, database).await
    }

    /// A session of any role, no password asked.
    pub async fn connect_trusted(&self, user: &str, database: &str) -> Result<PgConnection> {
        PgConnection::connect_with(&self.socket(user, database))
            .await
            .with_context(|| format!("connecting as {user} to {database}"))
    }

    /// A session in database `postgres` that shows a password, as a client of a lease does. The error is PostgreSQL's
    /// own, so that a test can look at its SQLSTATE.
    pub async fn log_in(&self, user: &str, password: &str) -> Result<PgConnection, sqlx::Error> {
        PgConnection::connect_with(&self.tcp(user, password, "postgres")).await
    }

    /// Holds the row of a login, as an `ALTER ROLE` in a transaction that stays open does, until the session is dropped.
    pub async fn hold_login(&self, login: &str) -> Result<PgConnection> {
        let mut session = self.connect().await?;
        let hold = format!("begin; alter role \"{login}\" connection limit 7");
        sqlx::raw_sql(AssertSqlSafe(hold))
            .execute(&mut session)
            .await?;
        Ok(session)
    }

    /// Runs any number of statements as superuser in database `postgres`.
    pub async fn sql(&self, text: &str) -> Result<()> {
        sqlx::raw_sql(AssertSqlSafe(text.to_owned()))
            .execute(&mut self.connect().await?)
            .await
            .with_context(|| text.to_owned())?;
        Ok(())
    }

    /// The rows of one query of the superuser in database `postgres`.
    pub async fn rows(&self, query: &str) -> Result<Vec<PgRow>> {
        sqlx::query(AssertSqlSafe(query.to_owned()))
            .fetch_all(&mut self.connect().await?)
            .await
            .with_context(|| query.to_owned())
    }

    /// The only value of a query of the superuser in database `postgres`.
    pub async fn value<T>(&self, query: &str) -> Result<T>
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let rows = self.rows(query).await?;
        ensure!(rows.len() == 1, "{} rows, want one: {query}", rows.len());
        rows[0].try_get(0).with_context(|| query.to_owned())
    }

    /// Makes an empty database.
    pub fn create_database(&self, name: &str) -> Result<()> {
        self.psql(&format!("create database \"{name}\""))?;
        Ok(())
    }

    /// Statements through `psql` as superuser in database `postgres`: unaligned rows, columns parted by `|`, the
    /// first error ends it and is returned. Needs no async runtime.
    pub fn psql(&self, statements: &str) -> Result<String> {
        self.psql_in("postgres", statements)
    }

    /// As [`Cluster::psql`], in another database.
    pub fn psql_in(&self, database: &str, statements: &str) -> Result<String> {
        self.psql_as(Self::SUPERUSER, database, statements)
    }

    /// As [`Cluster::psql`], as any role (no password asked) in any database.
    pub fn psql_as(&self, user: &str, database: &str, statements: &str) -> Result<String> {
        let mut command = place::as_server_user(prefix::of_this_run()?.bin.join("psql"));
        command
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose"])
            .arg("-h")
            .arg(self.socket_folder())
            .args(["-p", &self.port().to_string(), "-U", user, "-d", database]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("running psql")?;
        // Statements are small; psql reads them before its output could fill a pipe.
        child
            .stdin
            .take()
            .context("psql's input")?
            .write_all(statements.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(
            output.status.success(),
            "{statements}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    /// The whole cluster as `pg_dumpall` writes it, but for the superuser that every cluster has.
    pub fn dump(&self) -> Result<String> {
        let dump = self.dumped_by("pg_dumpall", &[])?;
        Ok(dump.replace("CREATE ROLE postgres;\n", ""))
    }

    /// What is in one database, as `pg_dump` writes it; no role is in it.
    pub fn dump_database(&self, name: &str) -> Result<String> {
        self.dumped_by("pg_dump", &[name])
    }

    /// The same, and the database itself with its label: `pg_dump --create`.
    pub fn dump_and_create_database(&self, name: &str) -> Result<String> {
        self.dumped_by("pg_dump", &["--create", name])
    }

    fn dumped_by(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let mut command = place::as_server_user(prefix::of_this_run()?.bin.join(program));
        command.arg("-h").arg(self.socket_folder()).args([
            "-p",
            &self.port().to_string(),
            "-U",
            Self::SUPERUSER,
        ]);
        let output = command
            .args(arguments)
            .output()
            .with_context(|| format!("running {program}"))?;
        ensure!(
            output.status.success(),
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}
