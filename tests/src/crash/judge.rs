//! What is left after a crash, against what clients were told, and store against target.

use anyhow::{Context, Result, ensure};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use super::ledger::{Entry, Ledger, Stand};
use super::world::World;
use crate::wait_until;

/// After a crash the workers and the broker need a moment.
const PATIENCE: Duration = Duration::from_secs(15);
/// An intent without a broker is settled after 30 s; then both sides tell the same story.
const SETTLED: Duration = Duration::from_secs(60);
/// Clocks of one machine, rounded to seconds by the API.
const ROUNDING: Duration = Duration::from_secs(2);
/// How many passwords are tried.
const TRIED: usize = 3;

/// Asks until the answer is yes, for as long as a crash may be felt.
pub fn in_time(what: &str, ready: impl FnMut() -> Result<bool>) -> Result<()> {
    wait_until(PATIENCE, what, ready)
}

/// Everything that has to hold after a crash, as soon as the broker serves again: [`Cluster::violations`] is empty, every
/// login has its lease and every lease its login, the ledger agrees, and so do store and target, but for intents
/// whose broker has died.
///
/// [`Cluster::violations`]: crate::Cluster::violations
pub fn judge(world: &World, ledger: &Ledger, seed: u64) -> Result<()> {
    let violations = world.target.violations()?;
    ensure!(violations.is_empty(), "leasehold.check(): {violations:?}");
    logins_and_leases(world)?;
    let mut found = Vec::new();
    in_time("what clients were told is so", || {
        found = told(world, ledger)?;
        Ok(found.is_empty())
    })
    .with_context(|| found.join("\n"))?;
    passwords(world, ledger, seed)?;
    let mut found = Vec::new();
    in_time("store and target agree", || {
        let (store, target) = sides(world)?;
        let confirmed = |lease: &&String| store[*lease] != "intent";
        found = target
            .iter()
            .filter(|lease| !store.contains_key(*lease))
            .map(|lease| format!("{lease} lives on the target and is not in the store"))
            .chain(
                store
                    .keys()
                    .filter(|lease| !target.contains(*lease))
                    .filter(confirmed)
                    .map(|lease| {
                        format!("{lease} is in the store and does not live on the target")
                    }),
            )
            .collect();
        Ok(found.is_empty())
    })
    .with_context(|| found.join("\n"))
}

/// Store and target name the same leases, once every intent is settled.
pub fn both_ways(world: &World) -> Result<()> {
    wait_until(SETTLED, "store and target name the same leases", || {
        let (store, target) = sides(world)?;
        Ok(store.into_keys().eq(target))
    })
}

/// Leases of the store, with their states; active leases of the target.
fn sides(world: &World) -> Result<(BTreeMap<String, String>, BTreeSet<String>)> {
    let target = world
        .target
        .psql("select lease_id from leasehold.leases where state = 'active' and scope <> 'sql'")?;
    let store = world.psql_store(
        "select l.lease_id, case when i.lease_id is null then 'issued' else 'intent' end \
           from leasehold_broker.leases l left join leasehold_broker.intents i using (lease_id)",
    )?;
    let store = store
        .lines()
        .filter_map(|line| line.split_once('|'))
        .map(|(lease, state)| (lease.to_owned(), state.to_owned()))
        .collect();
    Ok((store, target.lines().map(str::to_owned).collect()))
}

/// By name, without the extension's marks: what looks like a login of ours has a lease, and the other way round.
fn logins_and_leases(world: &World) -> Result<()> {
    let odd = world.target.psql(
        "select r.rolname, l.lease_id from (select rolname from pg_roles where rolname like 'v-%') r \
           full join leasehold.leases l on l.login = r.rolname where l.login is null or r.rolname is null",
    )?;
    ensure!(
        odd.is_empty(),
        "login without lease, or lease without login: {odd}"
    );
    Ok(())
}

/// Where the ledger and the target disagree.
fn told(world: &World, ledger: &Ledger) -> Result<Vec<String>> {
    let rows = world.target.psql(
        "select r.rolname, extract(epoch from l.expires_at) from pg_roles r \
           left join leasehold.leases l on l.login = r.rolname where r.rolcanlogin and r.rolname like 'v-%'",
    )?;
    let now = SystemTime::now();
    let mut ends: BTreeMap<&str, f64> = BTreeMap::new();
    for (login, end) in rows.lines().filter_map(|row| row.split_once('|')) {
        ends.insert(login, end.parse().unwrap_or(f64::NAN));
    }
    let mut wrong = Vec::new();
    for (lease, entry) in &ledger.leases {
        let end = ends.get(entry.login.as_str());
        match entry.stand {
            Stand::Live if entry.least > now + ROUNDING => match end {
                None => wrong.push(format!(
                    "{lease} was acknowledged and its login is not there"
                )),
                Some(end) if *end + ROUNDING.as_secs_f64() < epoch(entry.least) => wrong.push(
                    format!("{lease} was promised for longer than its login lasts"),
                ),
                Some(_) => {}
            },
            Stand::Live | Stand::Unknown if entry.most + ROUNDING < now && end.is_some() => {
                wrong.push(format!("{lease} is past its end and its login is there"));
            }
            Stand::Ended if end.is_some() => {
                wrong.push(format!("{lease} was ended and its login is there"));
            }
            _ => {}
        }
    }
    Ok(wrong)
}

/// Some of the credentials that clients hold open the server.
fn passwords(world: &World, ledger: &Ledger, seed: u64) -> Result<()> {
    let soon = SystemTime::now() + Duration::from_secs(30);
    let live = ledger
        .leases
        .values()
        .filter(|entry| entry.stand == Stand::Live && entry.least > soon);
    let mut rng = StdRng::seed_from_u64(seed);
    let tried: Vec<&Entry> = live.sample(&mut rng, TRIED);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for entry in tried {
        runtime
            .block_on(world.target.log_in(&entry.login, &entry.password))
            .with_context(|| format!("logging in as {}", entry.login))?;
    }
    Ok(())
}

fn epoch(at: SystemTime) -> f64 {
    at.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}
