//! Issuing by a membership recipe: sustained at 1, 8 and 32 clients, a burst with ready verifiers, and where the time goes.

use anyhow::Result;
use std::time::Duration;

use super::super::cpu::Used;
use super::super::load::{Same, Tally, Until, middle};
use super::super::pgbench;
use super::super::stage::Stage;
use super::super::table::{Line, Table};

/// A second more than this uses up what was derived ahead.
const WARM: Duration = Duration::from_secs(2);
const SUSTAINED: Duration = Duration::from_secs(8);
const CEILING_SECONDS: u32 = 5;
/// How many bursts; each lasts less than half a second, which says little alone, and has its own ceiling, measured just before.
const BURSTS: usize = 11;
const BEFORE_A_BURST: Duration = Duration::from_secs(2);
const BURST_CEILING_SECONDS: u32 = 2;
/// Issues a second of the reference at 1, 8 and 32 clients, on two cores.
const REFERENCE: [(usize, f64); 3] = [(1, 89.0), (8, 143.0), (32, 161.0)];

/// The same work in SQL: the extension makes password and verifier itself.
const SAME_WORK: &str = "select * from leasehold.issue('bench');\n";
/// What a manager from outside runs.
pub const STOCK: &str = "\\set n random(1, 1000000000000)\n\
    create role \"stock_:n\" with login password 'A1a-kOx2b0gQ7rX9eU4z' valid until '2100-01-01' in role readers;\n";

/// Measures all of it.
pub async fn measure(stage: &Stage, table: &mut Table) -> Result<()> {
    let stock = stock(stage, CEILING_SECONDS)?;
    for (clients, reference) in REFERENCE {
        let same = pgbench::run(&stage.cluster, SAME_WORK, clients, CEILING_SECONDS)?;
        clear_sql(stage)?;
        issue(stage, clients, Until::Elapsed(WARM)).await?;
        let (tally, used) = issue(stage, clients, Until::Elapsed(SUSTAINED)).await?;
        let unit = "issues/s";
        let what = format!("issue over HTTP, {clients} clients, sustained");
        let bar = (clients == 32).then_some(0.8);
        table.ratio(
            &what,
            tally.rate(),
            unit,
            ("pgbench, same work", same.rate),
            bar,
        );
        let bar = (clients == 32).then_some(4.0);
        table.ratio(&what, tally.rate(), unit, ("stock CREATE ROLE", stock), bar);
        let aim = (clients == 32).then_some(20.0);
        table.ratio(&what, tally.rate(), unit, ("the reference", reference), aim);
        if clients == 1 {
            latency(table, &tally, &same);
        }
        table.cpu(&format!("an issue, {clients} clients"), used);
        stage.clear("database/creds/member")?;
    }
    burst(stage, table).await
}

fn latency(table: &mut Table, tally: &Tally, same: &pgbench::Ceiling) {
    for (name, share, most) in [("p50", 0.5, 1.5), ("p99", 0.99, 3.0)] {
        let (ours, theirs) = (tally.percentile(share), same.percentile(share));
        table.add(Line {
            what: format!("issue latency, 1 client, {name}"),
            measured: format!("{ours:.2} ms, {:.2} × the same work in SQL", ours / theirs),
            against: format!("{theirs:.2} ms; bar {most} ×"),
            reached: Some(ours <= theirs * most),
        });
    }
}

/// 512 issues by 32 clients at once, after a pause in which verifiers were derived ahead.
async fn burst(stage: &Stage, table: &mut Table) -> Result<()> {
    let mut bursts = Vec::with_capacity(BURSTS);
    for _ in 0..BURSTS {
        let stock = stock(stage, BURST_CEILING_SECONDS)?;
        tokio::time::sleep(BEFORE_A_BURST).await;
        let (tally, _) = issue(stage, 32, Until::Steps(16)).await?;
        bursts.push((tally.rate(), stock));
    }
    let &(rate, stock) = middle(&mut bursts, |(rate, stock)| rate / stock);
    let what = "512 issues by 32 clients at once, ready verifiers, median of eleven";
    table.ratio(
        what,
        rate,
        "issues/s",
        ("stock CREATE ROLE", stock),
        Some(8.0),
    );
    stage.clear("database/creds/member")
}

/// Issues by so many clients; each must succeed.
pub async fn issue(stage: &Stage, clients: usize, until: Until) -> Result<(Tally, Used)> {
    let workers = (0..clients)
        .map(|client| Same(stage.request_of(client, "GET", "database/creds/member", "")))
        .collect();
    stage.drive(workers, until).await
}

fn stock(stage: &Stage, seconds: u32) -> Result<f64> {
    let rate = pgbench::run_simple(&stage.cluster, STOCK, 32, seconds)?.rate;
    stage.cluster.psql(
        "do $$ declare r name; begin for r in select rolname from pg_roles where rolname like 'stock%' loop \
         execute format('drop role %I', r); end loop; end $$",
    )?;
    Ok(rate)
}

fn clear_sql(stage: &Stage) -> Result<()> {
    stage.cluster.psql(
        "select leasehold.revoke_prefix('bench'); \
         do $$ begin while leasehold.revoke_prefix('bench') > 0 loop null; end loop; end $$",
    )?;
    stage.settled()
}
