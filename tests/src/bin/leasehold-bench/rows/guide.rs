//! The guide's own recipe, table grants and all, as pairs of an issue and a revocation with so many leases alive.

use anyhow::Result;
use std::collections::VecDeque;
use std::time::Duration;

use super::super::cpu::Used;
use super::super::http::{Client, request, text};
use super::super::load::{Tally, Until, Work};
use super::super::pgbench;
use super::super::stage::Stage;
use super::super::table::{Line, Table};

const CLIENTS: usize = 8;
const LIVE: usize = 1_500;
const MEASURED: Duration = Duration::from_secs(10);
const CEILING_SECONDS: u32 = 8;
const TABLES: usize = 10;

/// Measures it on one table, then on ten; with the grants of all logins shared, and with each login's own.
pub async fn measure(stage: &Stage, table: &mut Table) -> Result<()> {
    let stock = stock(stage)?;
    let ways = [
        ("shared", "grants shared", Some(3.0)),
        ("readonly", "grants of their own", None),
    ];
    for (role, how, bar) in ways {
        let (tally, cpu) = pairs(stage, role).await?;
        table.ratio(
            &format!("the guide's recipe on one table, {how}: issue and revoke, at most {LIVE} live, {CLIENTS} clients"),
            tally.rate(),
            "pairs/s",
            ("stock with the same statements, one session", stock),
            bar,
        );
        table.cpu(&format!("a pair, {how}"), cpu);
    }
    stage.cluster.psql(
        "do $$ begin for n in 2..10 loop execute format('create table table_%s (id int)', n); end loop; end $$",
    )?;
    for (role, how, _) in ways {
        let (tally, _) = pairs(stage, role).await?;
        table.add(Line {
            what: format!("the same on {TABLES} tables, {how}"),
            measured: format!("{:.1} pairs/s", tally.rate()),
            against: String::new(),
            reached: None,
        });
    }
    Ok(())
}

/// Fills up to the limit first; only pairs are measured. Nothing is left.
async fn pairs(stage: &Stage, role: &str) -> Result<(Tally, Used)> {
    let path = format!("database/creds/{role}");
    let each = LIVE / CLIENTS - 1;
    let mut workers = Vec::with_capacity(CLIENTS);
    let mut client = Client::connect(stage.served.address()).await?;
    for client_number in 0..CLIENTS {
        let issue = stage.request_of(client_number, "GET", &path, "");
        let mut live = VecDeque::with_capacity(each + 1);
        for _ in 0..each {
            live.push_back(text(client.send(&issue).await?, "lease_id")?.to_owned());
        }
        workers.push(Pair {
            issue,
            token: stage.tokens[client_number].clone(),
            live,
        });
    }
    let (tally, used) = stage.drive(workers, Until::Elapsed(MEASURED)).await?;
    stage.clear(&path)?;
    Ok((tally, used))
}

struct Pair {
    issue: Vec<u8>,
    token: String,
    live: VecDeque<String>,
}

impl Work for Pair {
    async fn step(&mut self, client: &mut Client) -> Result<()> {
        let lease_id = text(client.send(&self.issue).await?, "lease_id")?.to_owned();
        self.live.push_back(lease_id);
        let oldest = self.live.pop_front().unwrap_or_default();
        let body = format!(r#"{{"lease_id":"{oldest}","sync":true}}"#);
        let revoke = request("PUT", "sys/leases/revoke", &self.token, &body);
        client.send(&revoke).await.map(drop)
    }
}

/// A manager from outside, with the same statements and as many alive. One session: with more of them PostgreSQL itself
/// fails, "tuple concurrently updated".
fn stock(stage: &Stage) -> Result<f64> {
    let make = "create role %1$s with login password ''A1a-kOx2b0gQ7rX9eU4z'' valid until ''2100-01-01'' inherit; \
                grant select on all tables in schema public to %1$s";
    stage.cluster.psql(&format!(
        "create sequence pair; select setval('pair', {LIVE}); \
         do $$ begin for n in 1..{LIVE} loop execute format('{make}', 'pair_' || n); end loop; end $$"
    ))?;
    let script = format!(
        "select nextval('pair') as new, currval('pair') - {LIVE} as old \\gset\n\
         begin;\n\
         create role pair_:new with login password 'A1a-kOx2b0gQ7rX9eU4z' valid until '2100-01-01' inherit;\n\
         grant select on all tables in schema public to pair_:new;\n\
         commit;\n\
         begin;\n\
         revoke all privileges on all tables in schema public from pair_:old;\n\
         drop role pair_:old;\n\
         commit;\n"
    );
    let rate = pgbench::run_simple(&stage.cluster, &script, 1, CEILING_SECONDS)?.rate;
    stage.cluster.psql(
        "do $$ declare r name; begin for r in select rolname from pg_roles where rolname like 'pair%' loop \
         execute format('drop owned by %I', r); execute format('drop role %I', r); end loop; end $$; drop sequence pair",
    )?;
    Ok(rate)
}
