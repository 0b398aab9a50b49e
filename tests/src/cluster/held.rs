//! Transactions that somebody leaves open, and who waits for them.

use anyhow::{Context, Result};
use sqlx::{AssertSqlSafe, PgConnection};
use std::time::Duration;
use tokio::runtime::Runtime;

use super::{Cluster, wait_until};

const PATIENCE: Duration = Duration::from_secs(20);

/// A transaction of a superuser's that is open; rolled back when dropped. Needs no async runtime, and must not be in one.
pub struct Held {
    session: PgConnection,
    runtime: Runtime,
}

impl Held {
    /// Ends it well.
    pub fn commit(mut self) -> Result<()> {
        let commit = sqlx::raw_sql("commit").execute(&mut self.session);
        self.runtime.block_on(commit)?;
        Ok(())
    }
}

impl Cluster {
    /// Begins a transaction in that database, and leaves it open after these statements.
    pub fn hold(&self, database: &str, statements: &str) -> Result<Held> {
        let runtime = Runtime::new()?;
        let mut session = runtime.block_on(self.connect_to(database))?;
        let text = AssertSqlSafe(format!("begin; {statements}"));
        let held = sqlx::raw_sql(text).execute(&mut session);
        runtime
            .block_on(held)
            .with_context(|| statements.to_owned())?;
        Ok(Held { session, runtime })
    }

    /// Returns when a session in that database waits for a lock.
    pub fn until_somebody_waits(&self, database: &str) -> Result<()> {
        let waiting = format!(
            "select count(*) from pg_stat_activity where datname = '{database}' and wait_event_type = 'Lock'"
        );
        wait_until(PATIENCE, "somebody waits for a lock", || {
            Ok(self.psql(&waiting)? != "0")
        })
    }
}
