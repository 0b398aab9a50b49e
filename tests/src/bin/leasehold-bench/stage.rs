//! What is measured: one durable PostgreSQL that is store and target, one broker, recipes and tokens.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::time::Duration;

use leasehold_tests::{Actor, Cluster, Options, Served, wait_until};

use super::cpu::{Cpu, Used};
use super::http;
use super::load::{self, Tally, Until, Work};
use super::statements;

/// Everything that runs.
pub struct Stage {
    pub served: Served,
    pub cluster: Cluster,
    pub root: Actor,
    /// Applications' tokens, one a client: they may use credentials, leases and tokens, by policy.
    pub tokens: Vec<String>,
    /// Whether to show which statements a load was made of.
    statements: bool,
}

/// As many as there are clients at most.
const TOKENS: usize = 32;

/// What a token may.
const POLICY: &str = r#"
path "database/creds/*" { capabilities = ["read"] }
path "sys/leases/*"     { capabilities = ["create", "update", "list", "sudo"] }
path "auth/token/*"     { capabilities = ["create", "read", "update", "sudo"] }
"#;

/// The guide's recipe.
const READONLY: &str = include_str!("../../../guide/readonly.sql");

impl Stage {
    /// Starts it all. Durable, nothing logged, memory as on a small server.
    pub fn set(statements: bool) -> Result<Stage> {
        let mut options = Options {
            durable: true,
            ..Options::default()
                .set("shared_buffers", "256MB")
                .set("max_connections", "200")
                .set("max_wal_size", "4GB")
                .set("checkpoint_timeout", "15min")
        };
        if statements {
            options = statements::count_in(options);
        }
        let cluster = Cluster::start(options)?;
        if statements {
            statements::create(&cluster)?;
        }
        cluster.psql(
            "create role readers nologin; \
             create table one_table (id int primary key, value int not null); \
             insert into one_table select n, 0 from generate_series(1, 1000) n; \
             grant select on one_table to readers; \
             select leasehold.define_role('bench', member_of => '{readers}')",
        )?;
        let served = Served::start(&cluster, "store", "")?;
        let root = served.root();
        root.post("sys/mounts/database", json!({"type": "database"}))?
            .expect(204)?;
        let url = cluster.url("{{username}}", "{{password}}", "postgres");
        root.put(
            "database/config/postgresql",
            json!({
                "plugin_name": "postgresql-database-plugin", "connection_url": url, "allowed_roles": ["*"],
                "username": Cluster::SUPERUSER, "password": Cluster::SUPERUSER_PASSWORD,
            }),
        )?
        .expect(204)?;
        // Logins that are members of a group that holds the grants, and the guide's: by a group of the role's own, or each
        // with its own grants.
        for (name, field, how, grants) in [
            ("member", "member_of", "readers", "own"),
            ("other", "member_of", "readers", "own"),
            ("readonly", "creation_statements", READONLY, "own"),
            ("shared", "creation_statements", READONLY, "shared"),
        ] {
            root.put(
                &format!("database/roles/{name}"),
                json!({
                    "db_name": "postgresql", field: [how], "grants": grants, "default_ttl": "1h", "max_ttl": "24h",
                }),
            )?
            .expect(204)?;
        }
        root.put("sys/policies/acl/bench", json!({"policy": POLICY}))?
            .expect(204)?;
        let tokens = (0..TOKENS)
            .map(|_| {
                root.post("auth/token/create", json!({"policies": ["bench"]}))?
                    .expect(200)?
                    .text_at("/auth/client_token")
            })
            .collect::<Result<_>>()?;
        Ok(Stage {
            served,
            cluster,
            root,
            tokens,
            statements,
        })
    }

    /// A request of the first application, as bytes.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        self.request_of(0, method, path, body)
    }

    /// A request of one of the applications.
    pub fn request_of(&self, client: usize, method: &str, path: &str, body: &str) -> Vec<u8> {
        http::request(method, path, &self.tokens[client % TOKENS], body)
    }

    /// Ends all leases below a prefix, and waits until nothing of them is left: no load pays for the one before.
    pub fn clear(&self, prefix: &str) -> Result<()> {
        self.root
            .put(
                &format!("sys/leases/revoke-prefix/{prefix}"),
                json!({"sync": true}),
            )?
            .expect(204)?;
        self.settled()
    }

    /// Waits until every lease that has ended is gone.
    pub fn settled(&self) -> Result<()> {
        wait_until(
            Duration::from_secs(60),
            "all that has ended is dropped",
            || Ok(self.cluster.psql("select fenced from leasehold.stats")? == "0"),
        )
    }

    /// Drives this load, of which nothing may fail, and says what each process used for a step.
    pub async fn drive<W: Work>(&self, workers: Vec<W>, until: Until) -> Result<(Tally, Used)> {
        if self.statements {
            statements::reset(&self.cluster)?;
        }
        let before = self.cpu()?;
        let tally = load::drive(self.served.address(), workers, until).await?;
        let used = self.cpu()?.since(&before).each(tally.done());
        if self.statements {
            println!("{}", statements::top(&self.cluster, tally.done())?);
        }
        ensure!(
            tally.failures == 0,
            "{} requests failed, the first: {}",
            tally.failures,
            tally.first_failure.unwrap_or_default()
        );
        Ok((tally, used))
    }

    /// Processor time until now.
    fn cpu(&self) -> Result<Cpu> {
        let postmaster = self.cluster.pid().context("a running cluster")?;
        let broker = self.served.pid().context("a running broker")?;
        Ok(Cpu::now(broker, postmaster))
    }
}
