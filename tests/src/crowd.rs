//! Very many leases at once, as a broker has them but without asking it for each: made in SQL on the target, in the scope
//! of the store, and written into the store's index.

use anyhow::{Result, ensure};

use crate::{Cluster, Engine};

/// Leases made in one transaction.
const BATCH: usize = 250;
/// A verifier whose password nobody knows: deriving one for each of very many logins would take most of a test's time.
pub const VERIFIER: &str = "SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAA==$\
     AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Where leases are made: a target, and the store of the broker whose they are.
#[derive(Clone, Copy)]
pub struct Crowd<'a> {
    /// The target.
    pub target: &'a Cluster,
    /// The store's server.
    pub store: &'a Cluster,
    /// Its database there.
    pub database: &'a str,
}

impl Crowd<'_> {
    /// Makes `count` leases like the one that `engine` gets for a role now, which is one of them. They belong to the
    /// token that `engine` shows.
    pub fn make(&self, engine: &Engine, role: &str, count: usize) -> Result<()> {
        let (example, login) = engine.issue(role)?;
        let (folder, _) = example.rsplit_once('/').unwrap_or_default();
        let row = self.store.psql_in(
            self.database,
            &format!(
                "select l.recipe, t.accessor, (select store_id from leasehold_broker.installation) \
                   from leasehold_broker.leases l join leasehold_broker.tokens t using (token_id) where l.lease_id = '{example}'"
            ),
        )?;
        let parts: Vec<&str> = row.split('|').collect();
        let [recipe, owner, scope] = parts[..] else {
            anyhow::bail!("the example is not in the index: {row:?}");
        };
        // The target first: what only the index has is taken for ended.
        self.target.psql(&format!(
            "do $$ begin for batch in 0..{} loop \
                 perform count(*) from generate_series(batch * {BATCH} + 1, least((batch + 1) * {BATCH}, {count} - 1)) n, \
                         leasehold.issue('{recipe}', ttl => '12 hours', max_ttl => '24 hours', owners => array['{owner}'], \
                             owner_ttls => array[interval '1 day'], owner_revisions => array[0::bigint], \
                             login => '{login}-' || n, verifier => '{VERIFIER}', \
                             request_id => '{folder}/' || lpad(n::text, 24, '0'), scope => '{scope}'); \
                 commit; end loop; end $$",
            count.saturating_sub(1) / BATCH
        ))?;
        self.store.psql_in(
            self.database,
            &format!(
                "insert into leasehold_broker.leases (lease_id, mount_id, path, config_id, target_id, role, recipe, login, \
                        token_id, issued_at, ttl_seconds, max_ttl_seconds, expires_at) \
                 select '{folder}/' || lpad(n::text, 24, '0'), mount_id, path, config_id, target_id, role, recipe, \
                        login || '-' || n, token_id, clock_timestamp(), 43200, max_ttl_seconds, \
                        clock_timestamp() + interval '12 hours' \
                   from leasehold_broker.leases, generate_series(1, {count} - 1) n where lease_id = '{example}' \
                 on conflict do nothing"
            ),
        )?;
        let there = self.active(folder)?;
        ensure!(there == count, "{there} leases below {folder}, not {count}");
        Ok(())
    }

    /// How many leases are active on the target below a path.
    pub fn active(&self, path: &str) -> Result<usize> {
        self.count(path, "state = 'active'")
    }

    /// How many are not gone.
    pub fn left(&self, path: &str) -> Result<usize> {
        self.count(path, "true")
    }

    fn count(&self, path: &str, and: &str) -> Result<usize> {
        let count = self.target.psql(&format!(
            "select count(*) from leasehold.live_leases where starts_with(lease_id, '{path}/') and {and}"
        ))?;
        Ok(count.parse()?)
    }

    /// Leases in the index below a path, and messages to targets.
    pub fn indexed(&self, path: &str) -> Result<String> {
        self.store.psql_in(
            self.database,
            &format!(
                "select (select count(*) from leasehold_broker.leases where starts_with(lease_id, '{path}/')), \
                        (select count(*) from leasehold_broker.outbox)"
            ),
        )
    }
}
