//! Ends: ten thousand leases below a prefix at once, with issues going on beside, and how late an expiry is.

use anyhow::Result;
use std::time::{Duration, Instant};

use super::super::http::{Client, request};
use super::super::load::{Same, Until, Work, drive, middle};
use super::super::pgbench;
use super::super::stage::Stage;
use super::super::table::Table;
use super::issue;

const LEASES: usize = 10_000;
const CLIENTS: usize = 32;
/// How often, as the second that it takes says little alone.
const ROUNDS: usize = 3;
/// Leases that end spread over half a minute: closer than the bar asks for.
const EXPIRING: u32 = 1_000;
const EXPIRY_SPREAD_SECONDS: u32 = 30;
const ALONE: u32 = 20;

/// Measures both.
pub async fn measure(stage: &Stage, table: &mut Table) -> Result<()> {
    prefix(stage, table).await?;
    expiry(stage, table)
}

/// What one revocation of a prefix came to.
struct Revoked {
    fenced_seconds: f64,
    gone_seconds: f64,
    /// Leases a second, and raw drops just before: by a client, and by one statement inside the server.
    rate: f64,
    by_client: f64,
    by_server: f64,
    /// p99 of an issue meanwhile, times the idle one.
    beside: f64,
}

async fn prefix(stage: &Stage, table: &mut Table) -> Result<()> {
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        rounds.push(revoke_all(stage).await?);
    }
    let what = |end: &str| format!("revoke-prefix of {LEASES} leases, median of three: {end}");
    let fenced = middle(&mut rounds, |round| round.fenced_seconds).fenced_seconds;
    table.most(&what("all fenced"), fenced, "s", 2.0);
    let gone = middle(&mut rounds, |round| round.gone_seconds).gone_seconds;
    table.most(&what("all dropped"), gone, "s", 15.0);
    let mut rate = |against, raw: fn(&Revoked) -> f64, bar| {
        let round = middle(&mut rounds, |round| round.rate / raw(round));
        table.ratio(&what("rate"), round.rate, "/s", (against, raw(round)), bar);
    };
    rate(
        "raw DROP ROLE by pgbench, 100 a transaction",
        |round| round.by_client,
        Some(0.8),
    );
    rate(
        "raw DROP ROLE by one DO block, 500 a transaction",
        |round| round.by_server,
        None,
    );
    let beside = middle(&mut rounds, |round| round.beside).beside;
    table.most(
        &what("p99 of an issue meanwhile, times idle"),
        beside,
        "×",
        5.0,
    );
    Ok(())
}

async fn revoke_all(stage: &Stage) -> Result<Revoked> {
    let by_client = drops_by_client(stage)?;
    let by_server = drops_by_server(stage)?;
    issue::issue(stage, CLIENTS, Until::Steps(LEASES.div_ceil(CLIENTS))).await?;
    let other = || Paced(Same(stage.request("GET", "database/creds/other", "")));
    let idle = drive(stage.served.address(), vec![other()], Until::Steps(400)).await?;
    let watch = Watch::start(stage)?;
    let mut client = Client::connect(stage.served.address()).await?;
    let revoke = request(
        "PUT",
        "sys/leases/revoke-prefix/database/creds/member",
        stage.served.root_token(),
        r#"{"sync":true}"#,
    );
    let began = Instant::now();
    let beside = drive(
        stage.served.address(),
        vec![other()],
        Until::Elapsed(Duration::from_secs(2)),
    );
    let (answered, beside) = tokio::join!(client.send(&revoke), beside);
    answered?;
    let beside = beside?;
    let (fenced, gone) = watch.finish(began)?;
    stage.clear("database/creds/other")?;
    Ok(Revoked {
        fenced_seconds: fenced.as_secs_f64(),
        gone_seconds: gone.as_secs_f64(),
        rate: LEASES as f64 / gone.as_secs_f64(),
        by_client,
        by_server,
        beside: beside.percentile(0.99) / idle.percentile(0.99),
    })
}

/// An application that asks now and then.
struct Paced(Same);

impl Work for Paced {
    async fn step(&mut self, client: &mut Client) -> Result<()> {
        self.0.step(client).await
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(5)
    }
}

/// Looks, on a connection of its own, until all have been fenced and then until all are gone.
struct Watch(std::thread::JoinHandle<Result<(Instant, Instant)>>);

impl Watch {
    fn start(stage: &Stage) -> Result<Watch> {
        let options = stage.cluster.socket("postgres", "postgres");
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(look(options))
        });
        Ok(Watch(thread))
    }

    fn finish(self, began: Instant) -> Result<(Duration, Duration)> {
        let (fenced, gone) = self
            .0
            .join()
            .map_err(|_| anyhow::anyhow!("the watching thread panicked"))??;
        Ok((fenced - began, gone - began))
    }
}

async fn look(options: sqlx::postgres::PgConnectOptions) -> Result<(Instant, Instant)> {
    use sqlx::Connection;
    let mut connection = sqlx::PgConnection::connect_with(&options).await?;
    let mut fenced = None;
    loop {
        let (active, all): (i64, i64) = sqlx::query_as(
            "select count(*) filter (where state = 'active'), count(*) from leasehold.live_leases \
              where lease_id like 'database/creds/member/%'",
        )
        .fetch_one(&mut connection)
        .await?;
        if active == 0 {
            fenced.get_or_insert_with(Instant::now);
        }
        if let (Some(fenced), 0) = (fenced, all) {
            return Ok((fenced, Instant::now()));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What a manager from outside gets at best: a statement a login, so many of them in a transaction. Drops a second.
fn drops_by_client(stage: &Stage) -> Result<f64> {
    const TOGETHER: usize = 100;
    make_raw(stage)?;
    let mut script = format!("select {TOGETHER} * (nextval('raw') - 1) + 1 as n \\gset\nbegin;\n");
    for _ in 0..TOGETHER {
        script.push_str("drop role raw_:n;\n\\set n :n + 1\n");
    }
    script.push_str("commit;\n");
    stage.cluster.psql("create sequence raw")?;
    let transactions = pgbench::run_so_many(&stage.cluster, &script, LEASES / TOGETHER)?.rate;
    stage.cluster.psql("drop sequence raw")?;
    Ok(transactions * TOGETHER as f64)
}

/// What the server can do: no client, no network, 500 in a transaction. Drops a second.
fn drops_by_server(stage: &Stage) -> Result<f64> {
    make_raw(stage)?;
    let began = Instant::now();
    stage.cluster.psql(&format!(
        "do $$ begin for n in 1..{LEASES} loop execute format('drop role raw_%s', n); \
         if n % 500 = 0 then commit; end if; end loop; end $$"
    ))?;
    Ok(LEASES as f64 / began.elapsed().as_secs_f64())
}

fn make_raw(stage: &Stage) -> Result<()> {
    let make = "create role raw_%s login valid until ''2100-01-01'' in role readers";
    stage.cluster.psql(&format!(
        "do $$ begin for n in 1..{LEASES} loop execute format('{make}', n); end loop; end $$"
    ))?;
    Ok(())
}

/// How long after its end a lease is fenced, by the target's own clock.
fn expiry(stage: &Stage, table: &mut Table) -> Result<()> {
    let cluster = &stage.cluster;
    cluster.psql(&format!(
        "select count(*) from generate_series(1, {ALONE}) n, \
                leasehold.issue('bench', ttl => interval '2 s' + n * interval '150 ms', request_id => 'alone/' || n)"
    ))?;
    std::thread::sleep(Duration::from_secs(6));
    cluster.psql(&format!(
        "select count(*) from generate_series(1, {EXPIRING}) n, \
                leasehold.issue('bench', ttl => interval '10 s' + random() * interval '{EXPIRY_SPREAD_SECONDS} s', \
                                request_id => 'together/' || n)"
    ))?;
    std::thread::sleep(Duration::from_secs(u64::from(EXPIRY_SPREAD_SECONDS) + 13));
    let late = |prefix: &str, share: f64| -> Result<f64> {
        let text = cluster.psql(&format!(
            "select percentile_disc({share}) within group (order by extract(epoch from fenced_at - expires_at) * 1000) \
               from leasehold.past_leases where lease_id like '{prefix}/%'"
        ))?;
        Ok(text.parse()?)
    };
    table.most(
        "expiry of a single lease: fenced after its end, worst of 20",
        late("alone", 1.0)?,
        "ms",
        20.0,
    );
    table.most(
        "expiry of 1,000 leases within 30 s: fenced after their ends, p99",
        late("together", 0.99)?,
        "ms",
        100.0,
    );
    Ok(())
}
