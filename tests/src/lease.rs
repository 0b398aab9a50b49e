//! A lease made from `psql`, and what a test asks about it.

use anyhow::{Context, Result};
use sqlx::{Connection, PgConnection};
use std::time::Duration;

use crate::{Cluster, wait_until};

/// Generous: the tests share two cores with each other. What the worker itself reaches is measured in the benches.
const SOON: Duration = Duration::from_secs(20);

/// A lease as the superuser got it.
pub struct Lease<'c> {
    cluster: &'c Cluster,
    /// Where its extension is.
    home: String,
    /// Lease id.
    pub id: String,
    /// Name of its login.
    pub login: String,
    /// Password of its login.
    pub password: String,
}

impl Cluster {
    /// A lease of a recipe in database `postgres`.
    pub fn issue(&self, role: &str, ttl: &str) -> Result<Lease<'_>> {
        self.issue_in("postgres", role, ttl)
    }

    /// A lease of a recipe in that database.
    pub fn issue_in(&self, database: &str, role: &str, ttl: &str) -> Result<Lease<'_>> {
        let row = self.psql_in(
            database,
            &format!(
                "select lease_id, login, password from leasehold.issue('{role}', ttl => '{ttl}')"
            ),
        )?;
        let mut parts = row.split('|').map(str::to_owned);
        let mut next = || parts.next().context("three columns");
        Ok(Lease {
            cluster: self,
            home: database.to_owned(),
            id: next()?,
            login: next()?,
            password: next()?,
        })
    }

    /// Waits until somebody ends the leases of that database. Right after a crash the server may still refuse connections.
    pub fn wait_enforced(&self, database: &str) -> Result<()> {
        wait_until(SOON, "somebody enforces there", || {
            let row = self.psql_in(database, "select enforced from leasehold.heartbeat()");
            Ok(row.is_ok_and(|it| it == "t"))
        })
    }

    /// Whether there is a role of that name.
    pub fn has_role(&self, name: &str) -> Result<bool> {
        let count = format!("select count(*) from pg_roles where rolname = '{name}'");
        Ok(self.psql(&count)? == "1")
    }
}

impl Lease<'_> {
    /// Revokes it; what `revoke` says.
    pub fn revoke(&self) -> Result<String> {
        self.ask(&format!("select leasehold.revoke('{}')", self.id))
    }

    /// Whether it is history.
    pub fn is_gone(&self) -> Result<bool> {
        let count = "select count(*) from leasehold.history where lease_id =";
        Ok(self.ask(&format!("{count} '{}'", self.id))? == "1")
    }

    /// Waits until it is history; the error says what keeps it.
    pub fn wait_gone(&self) -> Result<()> {
        wait_until(SOON, "the lease is gone", || self.is_gone()).with_context(|| {
            self.columns("state, attempts, last_error")
                .unwrap_or_default()
        })
    }

    /// Waits until it has ended, cleaned away or not.
    pub fn wait_fenced(&self) -> Result<()> {
        wait_until(SOON, "the lease is fenced", || {
            Ok(self.columns("state")? != "active")
        })
    }

    /// The reason why it stays, once it says one.
    pub fn wait_reason(&self) -> Result<String> {
        let mut reason = String::new();
        wait_until(SOON, "the lease says why it stays", || {
            reason = self.columns("last_error")?;
            Ok(!reason.is_empty())
        })?;
        Ok(reason)
    }

    /// Columns of its row in the view of leases.
    pub fn columns(&self, names: &str) -> Result<String> {
        let from = "from leasehold.leases where lease_id =";
        self.ask(&format!("select {names} {from} '{}'", self.id))
    }

    /// A session of its login, with its password.
    pub async fn session(&self, database: &str) -> Result<PgConnection> {
        let options = self.cluster.tcp(&self.login, &self.password, database);
        Ok(PgConnection::connect_with(&options).await?)
    }

    fn ask(&self, text: &str) -> Result<String> {
        self.cluster.psql_in(&self.home, text)
    }
}
