//! Requests that make no login: renewals, tokens, lookups.

use anyhow::Result;
use std::time::Duration;

use super::super::cpu::Used;
use super::super::http::{Client, text};
use super::super::load::{Same, Turns, Until, Work};
use super::super::pgbench;
use super::super::stage::Stage;
use super::super::table::Table;

const CLIENTS: usize = 32;
const MEASURED: Duration = Duration::from_secs(5);
const CEILING_SECONDS: u32 = 4;
const LEASES: usize = 320;

const UPDATE: &str =
    "\\set id random(1, 1000)\nupdate one_table set value = value + 1 where id = :id;\n";
const SELECT: &str = "\\set id random(1, 1000)\nselect value from one_table where id = :id;\n";

/// Measures all of it; what the reference did on two cores is the bar.
pub async fn measure(stage: &Stage, table: &mut Table) -> Result<()> {
    let update = pgbench::run(&stage.cluster, UPDATE, CLIENTS, CEILING_SECONDS)?.rate;
    let select = pgbench::run(&stage.cluster, SELECT, CLIENTS, CEILING_SECONDS)?.rate;
    let update = ("one-row update by pgbench", update);
    let select = ("one-row select by pgbench", select);
    let ids = leases(stage, LEASES).await?;

    let renew = |id: &String| {
        let body = format!(r#"{{"lease_id":"{id}","increment":3600}}"#);
        stage.request("PUT", "sys/leases/renew", &body)
    };
    let rate = turns(stage, ids.iter().map(renew).collect()).await?;
    row(table, "renew", rate, (403.0, 10.0), update);

    let create = |client| stage.request_of(client, "POST", "auth/token/create", r#"{"ttl":"1h"}"#);
    let rate = same(stage, create).await?;
    row(table, "token create", rate, (369.0, 10.0), update);

    let lookup = |id: &String| {
        let body = format!(r#"{{"lease_id":"{id}"}}"#);
        stage.request("PUT", "sys/leases/lookup", &body)
    };
    let rate = turns(stage, ids.iter().map(lookup).collect()).await?;
    row(table, "lease lookup", rate, (7_720.0, 1.2), select);

    let own = |client| stage.request_of(client, "GET", "auth/token/lookup-self", "");
    let rate = same(stage, own).await?;
    row(table, "token lookup", rate, (6_500.0, 1.2), select);
    stage.clear("database/creds/member")
}

/// Steps a second, and microseconds of processor time a step, by process.
type Rate = (f64, Used);

fn row(
    table: &mut Table,
    what: &str,
    (rate, cpu): Rate,
    reference: (f64, f64),
    ceiling: (&str, f64),
) {
    let what = format!("{what}, {CLIENTS} clients");
    let (reference, least) = reference;
    table.ratio(&what, rate, "/s", ("the reference", reference), Some(least));
    table.ratio(&what, rate, "/s", ceiling, None);
    table.cpu(&what, cpu);
}

/// Each client the same request with its own token.
async fn same(stage: &Stage, request: impl Fn(usize) -> Vec<u8>) -> Result<Rate> {
    measured(
        stage,
        (0..CLIENTS).map(|client| Same(request(client))).collect(),
    )
    .await
}

/// Each client takes other requests of the list, so that they do not wait for each other's rows.
async fn turns(stage: &Stage, requests: Vec<Vec<u8>>) -> Result<Rate> {
    let share = requests.len() / CLIENTS;
    let work = |own: &[Vec<u8>]| Turns {
        requests: own.to_vec(),
        next: 0,
    };
    measured(
        stage,
        requests.chunks(share).take(CLIENTS).map(work).collect(),
    )
    .await
}

async fn measured<W: Work>(stage: &Stage, workers: Vec<W>) -> Result<Rate> {
    let (tally, used) = stage.drive(workers, Until::Elapsed(MEASURED)).await?;
    Ok((tally.rate(), used))
}

/// Makes so many leases, and gives their ids.
pub async fn leases(stage: &Stage, count: usize) -> Result<Vec<String>> {
    let request = stage.request("GET", "database/creds/member", "");
    let mut client = Client::connect(stage.served.address()).await?;
    let mut ids = Vec::with_capacity(count);
    for _ in 0..count {
        ids.push(text(client.send(&request).await?, "lease_id")?.to_owned());
    }
    Ok(ids)
}
