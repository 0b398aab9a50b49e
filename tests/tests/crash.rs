//! Ten sharp crashes during concurrent issues and revocations: the broker is killed, PostgreSQL is stopped at once or
//! loses a backend, in random order. After each `leasehold.check()` is empty, what was acknowledged is there, what was
//! revoked stays gone; at the end store and target agree both ways.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Actor, Cluster, Options, Served, Stop, wait_until};
use rand::RngExt;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const CYCLES: usize = 10;
const CLIENTS: usize = 4;
/// An intent is settled after 30 s at the latest; then both sides tell the same story.
const SETTLED: Duration = Duration::from_secs(60);

/// What the clients were told: lease id to login, and the ones whose revocation was acknowledged.
#[derive(Default)]
struct Ledger {
    issued: BTreeMap<String, String>,
    revoked: BTreeMap<String, String>,
}

fn prepare(cluster: &Cluster, root: &Actor) -> Result<()> {
    cluster.psql(
        "create table public.orders (id int); create role readers nologin; grant select on public.orders to readers",
    )?;
    root.post("sys/mounts/database", json!({"type": "database"}))?
        .expect(204)?;
    root.put(
        "database/config/postgresql",
        json!({
            "plugin_name": "postgresql-database-plugin", "allowed_roles": "*",
            "connection_url": format!("postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{}/postgres?sslmode=disable", cluster.port()),
            "username": Cluster::SUPERUSER, "password": Cluster::SUPERUSER_PASSWORD,
            "max_open_connections": 8,
        }),
    )?
    .expect(204)?;
    let create =
        "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'";
    for (role, grant) in [
        ("member", "GRANT readers TO \"{{name}}\""),
        (
            "granted",
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"{{name}}\"",
        ),
    ] {
        let body = json!({"db_name": "postgresql", "creation_statements": [create, grant], "default_ttl": "1h", "max_ttl": "2h"});
        root.put(&format!("database/roles/{role}"), body)?
            .expect(204)?;
    }
    Ok(())
}

/// Issues, and revokes one in three, until told to stop. Refusals are expected: something is dying.
fn client(root: Actor, number: usize, stop: Arc<AtomicBool>, ledger: Arc<Mutex<Ledger>>) {
    let role = if number.is_multiple_of(2) {
        "member"
    } else {
        "granted"
    };
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        let Ok(answer) = root.get(&format!("database/creds/{role}")) else {
            continue;
        };
        let (Ok(lease), Ok(login)) = (
            answer.text_at("/lease_id"),
            answer.text_at("/data/username"),
        ) else {
            continue;
        };
        ledger
            .lock()
            .expect("no client panics")
            .issued
            .insert(lease.clone(), login.clone());
        count += 1;
        if count % 3 == 0 {
            // From here on it may be gone or not, until the answer says which.
            let told = root.put("sys/leases/revoke", json!({"lease_id": lease}));
            let mut ledger = ledger.lock().expect("no client panics");
            ledger.issued.remove(&lease);
            if told.is_ok_and(|answer| answer.status == 204) {
                ledger.revoked.insert(lease, login);
            }
        }
    }
}

fn crash(cluster: &Cluster, served: &mut Served, kind: usize) -> Result<&'static str> {
    match kind {
        0 => {
            served.kill()?;
            served.start_again()?;
            Ok("broker killed")
        }
        1 => {
            cluster.stop(Stop::Immediate)?;
            cluster.start_again()?;
            Ok("PostgreSQL stopped at once")
        }
        _ => {
            let pid = cluster.psql(
                "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() order by random() limit 1",
            )?;
            cluster.kill_process(pid.parse().context("a backend of the broker")?)?;
            Ok("backend killed")
        }
    }
}

fn logins(cluster: &Cluster) -> Result<Vec<String>> {
    Ok(cluster
        .psql("select rolname from pg_roles where rolcanlogin")?
        .lines()
        .map(str::to_owned)
        .collect())
}

fn judge(cluster: &Cluster, ledger: &Ledger, what: &str) -> Result<()> {
    let violations = cluster.violations()?;
    ensure!(violations.is_empty(), "after {what}: {violations:?}");
    let logins = logins(cluster)?;
    for (lease, login) in &ledger.issued {
        ensure!(
            logins.contains(login),
            "after {what}: {lease} was acknowledged and its login {login} is not there"
        );
    }
    for (lease, login) in &ledger.revoked {
        ensure!(
            !logins.contains(login),
            "after {what}: {lease} was revoked and its login {login} is there"
        );
    }
    Ok(())
}

/// Leases of the store and of the target, one a line, sorted.
fn both_sides(cluster: &Cluster) -> Result<(String, String)> {
    let store = cluster.psql_in(
        "store",
        "select lease_id from leasehold_broker.leases order by lease_id collate \"C\"",
    )?;
    let target = cluster.psql("select lease_id from leasehold.leases where state = 'active' order by lease_id collate \"C\"")?;
    Ok((store, target))
}

#[test]
fn ten_crashes_break_nothing() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let mut served = Served::start(&cluster, "store", "")?;
    prepare(&cluster, &served.root())?;
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let mut rng = rand::rng();
    for cycle in 0..CYCLES {
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (root, stop, ledger) = (served.root(), stop.clone(), ledger.clone());
                std::thread::spawn(move || client(root, number, stop, ledger))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(rng.random_range(200..900)));
        // Each kind at least three times, then by chance.
        let kind = if cycle < 9 {
            cycle % 3
        } else {
            rng.random_range(0..3)
        };
        let what = crash(&cluster, &mut served, kind)?;
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().ok().context("a client panicked")?;
        }
        served.until_serving()?;
        // Asked once more with everything up: it must be served again.
        served.root().get("database/creds/member")?.expect(200)?;
        let ledger = ledger.lock().expect("no client panics");
        judge(&cluster, &ledger, what)?;
        println!(
            "cycle {cycle}: {what}; {} issued, {} revoked",
            ledger.issued.len(),
            ledger.revoked.len()
        );
    }
    wait_until(SETTLED, "store and target agree", || {
        let (store, target) = both_sides(&cluster)?;
        Ok(store == target)
    })?;
    served
        .root()
        .put("sys/leases/revoke-prefix/database", json!({}))?
        .expect(204)?;
    wait_until(SETTLED, "all logins are dropped", || {
        Ok(cluster.psql("select count(*) from pg_roles where rolname like 'v-%'")? == "0")
    })?;
    Ok(())
}
