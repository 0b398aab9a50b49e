//! A quarter of a million live leases: what grows with them, and what must not. For `--large`.

use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

use super::super::http::{Client, request, text};
use super::super::load::{Until, percentile};
use super::super::stage::Stage;
use super::super::table::{Line, Table};
use super::issue;

const FEW: usize = 1_000;
const MANY: usize = 256_000;
const CLIENTS: usize = 32;
const TIMES: usize = 300;
const MIB: u64 = 1_024;

/// Measures each operation at a thousand leases and at all of them, then the broker's start and memory.
pub async fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    fill(stage, FEW).await?;
    let few = operations(stage).await?;
    let memory_before = memory_kib(stage)?;
    fill(stage, MANY - FEW).await?;
    stage.cluster.psql("vacuum analyze")?;
    let many = operations(stage).await?;
    for ((name, few), (_, many)) in few.iter().zip(&many) {
        table.add(Line {
            what: format!("{name} at {MANY} leases, p50"),
            measured: format!("{many:.2} ms, {:.2} × its time at {FEW}", many / few),
            against: format!("{few:.2} ms; bar 1.3 ×"),
            reached: Some(many / few <= 1.3),
        });
    }
    let memory = memory_kib(stage)?;
    table.add(Line {
        what: format!("the broker's memory at {MANY} leases, after making them all"),
        measured: format!("{} MiB", memory / MIB),
        against: format!("{} MiB at {FEW}; bar 64 MiB", memory_before / MIB),
        reached: Some(memory <= 64 * MIB),
    });
    stage.served.kill()?;
    let began = Instant::now();
    stage.served.start_again()?;
    let mut client = Client::connect(stage.served.address()).await?;
    let own = stage.request("GET", "auth/token/lookup-self", "");
    client.send(&own).await?;
    let what = format!("the broker's start to its first answer, unsealing included, {MANY} leases");
    table.most(&what, began.elapsed().as_secs_f64(), "s", 1.0);
    let memory = memory_kib(stage)?;
    table.most("its memory then", (memory / MIB) as f64, "MiB", 64.0);
    Ok(())
}

async fn fill(stage: &Stage, count: usize) -> Result<()> {
    issue::issue(stage, CLIENTS, Until::Steps(count.div_ceil(CLIENTS))).await?;
    Ok(())
}

/// Medians in milliseconds, one client.
async fn operations(stage: &Stage) -> Result<Vec<(&'static str, f64)>> {
    let mut client = Client::connect(stage.served.address()).await?;
    let mut times: [Vec<Duration>; 5] = Default::default();
    let issue = stage.request("GET", "database/creds/other", "");
    let own = stage.request("GET", "auth/token/lookup-self", "");
    for _ in 0..TIMES {
        let began = Instant::now();
        let lease_id = text(client.send(&issue).await?, "lease_id")?.to_owned();
        times[0].push(began.elapsed());
        let body = format!(r#"{{"lease_id":"{lease_id}"}}"#);
        let paths = ["sys/leases/lookup", "sys/leases/renew"];
        for (at, path) in paths.into_iter().enumerate() {
            let request = stage.request("PUT", path, &body);
            let began = Instant::now();
            client.send(&request).await?;
            times[1 + at].push(began.elapsed());
        }
        let began = Instant::now();
        client.send(&own).await?;
        times[3].push(began.elapsed());
        let body = format!(r#"{{"lease_id":"{lease_id}","sync":true}}"#);
        let revoke = request("PUT", "sys/leases/revoke", &stage.tokens[0], &body);
        let began = Instant::now();
        client.send(&revoke).await?;
        times[4].push(began.elapsed());
    }
    let names = ["issue", "lease lookup", "renew", "token lookup", "revoke"];
    ensure!(times.iter().all(|all| all.len() == TIMES));
    Ok(names
        .into_iter()
        .zip(times)
        .map(|(name, mut all)| {
            all.sort_unstable();
            (name, percentile(&all, 0.5))
        })
        .collect())
}

/// Resident memory of the broker.
fn memory_kib(stage: &Stage) -> Result<u64> {
    let pid = stage.served.pid().context("a running broker")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
