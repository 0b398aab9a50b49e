//! What the planner believes of the catalogs decides nothing. Where nobody has looked at the labels of roles since there
//! are leases, it expects one, and would go through all of them for each lease.

use anyhow::{Result, ensure};
use leasehold_tests::{Cluster, Options, VERIFIER, wait_until};
use std::time::{Duration, Instant};

/// So many that going through all of them for each would take a minute on a fast machine.
const LEASES: usize = 15_000;
/// How many end at once.
const ENDED: usize = 10_000;
/// A check of all of it takes a fifth of a second.
const CHECKED: Duration = Duration::from_secs(5);
/// A server that starts needs two for it.
const STARTED: Duration = Duration::from_secs(15);

/// A cluster where nothing looks at tables by itself.
fn unknown() -> Result<Cluster> {
    let cluster = Cluster::start(
        Options::default()
            .set("autovacuum", "off")
            .set("shared_buffers", "256MB")
            .set("max_wal_size", "4GB"),
    )?;
    cluster.psql(
        "create role readers nologin; select leasehold.define_role('r', member_of => '{readers}')",
    )?;
    Ok(cluster)
}

fn issue(cluster: &Cluster, below: &str, leases: usize, ttl: &str) -> Result<()> {
    let statement = format!(
        "select count(*) from generate_series(1, {leases}) n, \
                leasehold.issue('r', ttl => '{ttl}', request_id => '{below}/' || n, verifier => '{VERIFIER}')"
    );
    cluster.psql(&statement).map(drop)
}

/// How long it takes until this many leases, fenced in one commit, are gone.
fn end(cluster: &Cluster, below: &str) -> Result<Duration> {
    issue(cluster, below, ENDED, "1 hour")?;
    // So that the planner knows how many are fenced, and takes one look through all labels for the cheaper way.
    let left = cluster.psql(&format!(
        "begin; select leasehold.revoke_prefix('{below}/', {ENDED}); analyze leasehold.live_leases; commit"
    ))?;
    ensure!(left == "0", "{left} are not fenced");
    let began = Instant::now();
    wait_until(Duration::from_secs(120), "they are gone", || {
        Ok(cluster.psql("select fenced from leasehold.stats")? == "0")
    })?;
    Ok(began.elapsed())
}

#[test]
fn many_leases_hold_up_no_end_no_start_and_no_check() -> Result<()> {
    let cluster = unknown()?;
    let alone = end(&cluster, "alone")?;
    issue(&cluster, "many", LEASES, "1 hour")?;
    let among = end(&cluster, "among")?;
    ensure!(
        among <= alone * 5 + Duration::from_millis(500),
        "{ENDED} leases are dropped in {among:?} among {LEASES} others, and alone in {alone:?}"
    );

    let began = Instant::now();
    let violations = cluster.violations()?;
    ensure!(violations.is_empty(), "{violations:?}");
    ensure!(
        began.elapsed() < CHECKED,
        "a check took {:?}",
        began.elapsed()
    );

    issue(&cluster, "short", 1, "3 seconds")?;
    cluster.restart()?;
    wait_until(STARTED, "what has ended meanwhile is gone", || {
        let left = "select count(*) from leasehold.live_leases where lease_id = 'short/1'";
        Ok(cluster.psql(left)? == "0")
    })
}
