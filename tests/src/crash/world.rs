//! What can crash: a broker, the cluster of its store, the cluster of its target (one and the same, perhaps).

use anyhow::Result;
use serde_json::json;

use crate::{Actor, Cluster, Options, Served};

/// Whether store and target are one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// They die together.
    OneCluster,
    /// Each dies alone.
    TwoClusters,
}

/// A broker on its store, with a database mount for the target. Roles there: `member` (a membership) and `granted` (a
/// grant on every table), both for as long as asked for, and `brief`, for two seconds.
pub struct World {
    /// Ended before the clusters are.
    pub broker: Served,
    /// Where the logins are.
    pub target: Cluster,
    /// Where the broker keeps what it knows, if that is another cluster.
    pub store: Option<Cluster>,
    ttl_seconds: u64,
}

/// The store's database.
const STORE: &str = "store";

impl World {
    /// Everything started and configured. Leases last for `ttl_seconds`.
    pub fn start(layout: Layout, options: &Options, ttl_seconds: u64) -> Result<World> {
        let target = Cluster::start(options.clone())?;
        let store = match layout {
            Layout::OneCluster => None,
            Layout::TwoClusters => {
                let mut plain = options.clone().without_preload();
                plain.extension = false;
                Some(Cluster::start(plain)?)
            }
        };
        let broker = Served::start(store.as_ref().unwrap_or(&target), STORE, "")?;
        let world = World {
            broker,
            target,
            store,
            ttl_seconds,
        };
        world.configure()?;
        Ok(world)
    }

    /// The superuser's statements in the store's database.
    pub fn psql_store(&self, statements: &str) -> Result<String> {
        self.store
            .as_ref()
            .unwrap_or(&self.target)
            .psql_in(STORE, statements)
    }

    /// Whoever holds the first root token.
    pub fn root(&self) -> Actor {
        self.broker.root()
    }

    fn configure(&self) -> Result<()> {
        self.target.psql(
            "create table public.orders (id int); create role readers nologin; grant select on public.orders to readers",
        )?;
        self.mount("database")
    }

    /// Enables a database mount for the target at `path` and writes its roles.
    pub fn mount(&self, path: &str) -> Result<()> {
        let root = self.root();
        root.post(&format!("sys/mounts/{path}"), json!({"type": "database"}))?
            .expect(204)?;
        root.put(
            &format!("{path}/config/postgresql"),
            json!({
                "plugin_name": "postgresql-database-plugin", "allowed_roles": "*",
                "connection_url": self.target.url("{{username}}", "{{password}}", "postgres"),
                "username": Cluster::SUPERUSER, "password": Cluster::SUPERUSER_PASSWORD,
                "max_open_connections": 8,
            }),
        )?
        .expect(204)?;
        let create = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'";
        let member = "GRANT readers TO \"{{name}}\"";
        let granted = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"{{name}}\"";
        for (role, grant, ttl) in [
            ("member", member, self.ttl_seconds),
            ("granted", granted, self.ttl_seconds),
            ("brief", member, 2),
        ] {
            let body = json!({"db_name": "postgresql", "creation_statements": [create, grant], "default_ttl": ttl, "max_ttl": "2h"});
            root.put(&format!("{path}/roles/{role}"), body)?
                .expect(204)?;
        }
        Ok(())
    }
}
