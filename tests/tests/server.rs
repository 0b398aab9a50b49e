//! The server as a process: what becomes of requests when a client, the store or the server itself goes away.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{
    Actor, Asking, Cluster, Freeze, Options, Served, Setup, Stop, Wire, wait_until,
};
use serde_json::json;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A recipe whose issue takes a second.
fn mount_slow_role(cluster: &Cluster, root: &Actor) -> Result<()> {
    mount_role(cluster, root, "select pg_sleep(1)")
}

/// A recipe `slow` that does this, too.
fn mount_role(cluster: &Cluster, root: &Actor, besides: &str) -> Result<()> {
    root.post("sys/mounts/database", json!({"type": "database"}))?
        .expect(204)?;
    root.put(
        "database/config/postgresql",
        json!({
            "plugin_name": "postgresql-database-plugin", "allowed_roles": "slow",
            "connection_url": cluster.url("{{username}}", "{{password}}", "postgres"),
            "username": Cluster::SUPERUSER, "password": Cluster::SUPERUSER_PASSWORD,
        }),
    )?
    .expect(204)?;
    let create =
        "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'";
    root.put(
        "database/roles/slow",
        json!({"db_name": "postgresql", "creation_statements": [create, besides], "default_ttl": "1h"}),
    )?
    .expect(204)?;
    Ok(())
}

/// Asks for credentials of `slow`.
fn ask_for_credentials(served: &Served) -> Result<Asking> {
    Asking::get(served.address(), &served.root(), "database/creds/slow")
}

const LIVE: &str = "select count(*) from leasehold.leases where state = 'active'";

#[test]
fn a_lease_whose_client_left_is_ended() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let served = Served::start(&cluster, "store", "")?;
    mount_slow_role(&cluster, &served.root())?;
    let client = ask_for_credentials(&served)?;
    wait_until(Duration::from_secs(10), "the issue is under way", || {
        let running = "select count(*) from pg_stat_activity where state = 'active' and query like '%leasehold.issue%' \
                       and pid <> pg_backend_pid()";
        Ok(cluster.psql(running)?.trim() != "0")
    })?;
    client.leave()?;
    // It was made, since a handler runs to its end; nobody has it, so it ends.
    wait_until(
        Duration::from_secs(10),
        "the lease was made and ended",
        || {
            let gone = "select count(*) from leasehold.history";
            Ok(cluster.psql(LIVE)?.trim() == "0" && cluster.psql(gone)?.trim() != "0")
        },
    )?;
    // The store hears of it from the target, a moment later.
    wait_until(Duration::from_secs(5), "it is listed no more", || {
        let listed = served
            .root()
            .list("sys/leases/lookup/database/creds/slow")?;
        Ok(listed.status == 404)
    })
}

#[test]
fn what_is_being_served_may_finish() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let mut served = Served::start(&cluster, "store", "")?;
    mount_slow_role(&cluster, &served.root())?;
    let client = ask_for_credentials(&served)?;
    std::thread::sleep(Duration::from_millis(300));
    let ended = served.terminate()?;
    ensure!(ended.success(), "ended with {ended}");
    let answer = client.answer()?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    ensure!(
        answer.contains("\"lease_id\":\"database/creds/slow/"),
        "an answer without a lease"
    );
    ensure!(
        cluster.psql(LIVE)?.trim() == "1",
        "the lease that was answered lives"
    );
    ensure!(
        TcpStream::connect(served.address()).is_err(),
        "it still listens"
    );
    Ok(())
}

#[test]
fn a_broker_waits_for_its_database_and_says_so() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let mut served = Served::start(&cluster, "store", "")?;
    let written = json!({"policy": "path \"x\" { capabilities = [\"read\"] }"});
    served
        .root()
        .put("sys/policies/acl/kept", written)?
        .expect(204)?;
    served.kill()?;
    cluster.stop(Stop::Fast)?;
    std::thread::scope(|scope| {
        let starting = scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(2));
            cluster.start_again()
        });
        served.start_again()?;
        starting.join().expect("the thread does not panic")
    })?;
    ensure!(
        served.log()?.contains("waiting for the store's database"),
        "the log says nothing of waiting"
    );
    served.root().get("sys/policies/acl/kept")?.expect(200)?;
    // The same while it serves: requests fail meanwhile, and are served again afterwards.
    cluster.crash()?;
    served.until_serving()?;
    served.root().get("sys/policies/acl/kept")?.expect(200)?;
    Ok(())
}

/// A broker whose way to its store can be held still.
fn behind_a_wire(cluster: &Cluster) -> Result<(Wire, Served)> {
    cluster.create_database("store")?;
    let wire = Wire::new();
    let setup = Setup {
        store_port: Some(wire.to(cluster.port())?),
        ..Setup::default()
    };
    let mut served = Served::spawned(cluster.port(), "store", &setup)?;
    served.until_answers(|status| status == 501)?;
    served.initialise()?;
    Ok((wire, served))
}

/// Whatever a request waits for, its client is answered; what comes of it later is nobody's, and is undone.
#[test]
fn a_request_that_takes_too_long_is_answered_and_undone() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let served = Served::start(&cluster, "store", "default_max_request_duration = \"2s\"")?;
    let root = served.root();
    mount_role(&cluster, &root, "select 1")?;
    let held = cluster.hold(
        "postgres",
        "lock table leasehold.requests in exclusive mode",
    )?;
    let began = Instant::now();
    let answer = root.get("database/creds/slow")?.expect(500)?;
    ensure!(
        answer.text.contains("no answer within 2s"),
        "{}",
        answer.text
    );
    let took = began.elapsed();
    ensure!((2..8).contains(&took.as_secs()), "it took {took:?}");
    held.commit()?;
    wait_until(
        Duration::from_secs(20),
        "the lease that nobody got is revoked",
        || {
            Ok(
                cluster.psql("select count(*) from leasehold.history where cause = 'revoked'")?
                    == "1",
            )
        },
    )?;
    ensure!(cluster.psql(LIVE)? == "0");
    root.get("database/creds/slow")?.expect(200).map(drop)
}

/// The host of the store goes in the middle of requests without closing a connection, and another one takes its place: what
/// was under way fails in time, and nothing that comes later waits for what will never be answered.
#[test]
fn a_store_that_falls_silent_is_reached_anew() -> Result<()> {
    const REQUESTS: usize = 12;
    let cluster = Cluster::start(Options::default())?;
    let (wire, served) = behind_a_wire(&cluster)?;
    let root = served.root();
    let look = || root.get("auth/token/lookup-self");
    // Connections enough that one after the other would be waited for too long.
    std::thread::scope(|scope| {
        for _ in 0..REQUESTS {
            scope.spawn(|| look().and_then(|answer| answer.expect(200)));
        }
    });
    look()?.expect(200)?;
    let began = Instant::now();
    std::thread::scope(|scope| -> Result<()> {
        wire.freeze(Freeze::After(0));
        let asking: Vec<_> = (0..REQUESTS).map(|_| scope.spawn(look)).collect();
        std::thread::sleep(Duration::from_millis(500));
        wire.strand();
        wait_until(Duration::from_secs(30), "it serves again", || {
            Ok(look()?.status == 200)
        })?;
        for one in asking {
            let answer = one.join().ok().context("a thread that asks")??;
            ensure!(
                matches!(answer.status, 200 | 500),
                "status {}: {}",
                answer.status,
                answer.text
            );
        }
        Ok(())
    })?;
    ensure!(
        began.elapsed() < Duration::from_secs(30),
        "it took {:?}",
        began.elapsed()
    );
    let health = served.nobody().get("sys/health")?.expect(200)?;
    ensure!(health.body["sealed"] == json!(false), "{}", health.text);
    // Writes, too: what they wait on is as new.
    root.post("auth/token/create", json!({"policies": ["default"]}))?
        .expect(200)
        .map(drop)
}

/// Two graces of ten seconds, five for the store's connections, and what others compile beside us.
const DOWN_WITHIN: Duration = Duration::from_secs(40);

#[test]
fn a_store_that_is_silent_keeps_no_broker_from_ending() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let (wire, mut served) = behind_a_wire(&cluster)?;
    let root = served.root();
    std::thread::scope(|scope| -> Result<()> {
        wire.freeze(Freeze::After(0));
        let asking = scope.spawn(|| root.put("cubbyhole/x", json!({"a": "b"})));
        std::thread::sleep(Duration::from_millis(500));
        let began = Instant::now();
        let ended = served.terminate()?;
        ensure!(ended.success(), "ended with {ended}");
        ensure!(
            began.elapsed() < DOWN_WITHIN,
            "it took {:?}",
            began.elapsed()
        );
        // Cut, or told that the store is away.
        let answer = asking.join().ok().context("a thread that asks")?;
        ensure!(
            answer.as_ref().map_or(true, |answer| answer.status == 500),
            "{answer:?}"
        );
        Ok(())
    })
}

#[test]
fn a_second_signal_ends_it_at_once() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let mut served = Served::start(&cluster, "store", "")?;
    mount_role(&cluster, &served.root(), "select pg_sleep(8)")?;
    let _client = ask_for_credentials(&served)?;
    std::thread::sleep(Duration::from_millis(300));
    served.tell_to_end()?;
    wait_until(Duration::from_secs(5), "it is going down", || {
        Ok(served.log()?.contains("going down"))
    })?;
    let began = Instant::now();
    let ended = served.terminate()?;
    ensure!(ended.code() == Some(1), "ended with {ended}");
    ensure!(
        began.elapsed() < Duration::from_secs(3),
        "it took {:?}",
        began.elapsed()
    );
    Ok(())
}

/// Waits until a broker says that of its store, and sees that it does not listen meanwhile.
fn until_it_waits(served: &Served, why: &str) -> Result<()> {
    wait_until(Duration::from_secs(20), "it says what is wrong", || {
        let log = served.log()?;
        Ok(log.contains("waiting for the store's database") && log.contains(why))
    })?;
    ensure!(
        TcpStream::connect(served.address()).is_err(),
        "it serves from a server that takes no writes"
    );
    Ok(())
}

/// Nothing is authorised from a replica: it may not have heard yet of what was revoked.
#[test]
fn a_store_on_a_standby_is_waited_for_until_it_is_promoted() -> Result<()> {
    let primary = Cluster::start(Options::default())?;
    let mut before = Served::start(&primary, "store", "")?;
    before.root().get("auth/token/lookup-self")?.expect(200)?;
    let standby = Cluster::standby_of(&primary)?;
    let after = Served::spawned(standby.port(), "store", &Setup::default())?;
    until_it_waits(&after, "it is a standby")?;
    before.kill()?;
    primary.stop(Stop::Immediate)?;
    standby.psql("select pg_promote()")?;
    after.until_answers(|status| status == 503)?;
    let key = json!({"key": before.unseal_key()});
    after.nobody().put("sys/unseal", key)?.expect(200)?;
    let root = after.nobody().with_token(before.root_token());
    root.get("auth/token/lookup-self")?.expect(200)?;
    let written = json!({"policy": "path \"x\" { capabilities = [\"read\"] }"});
    root.put("sys/policies/acl/after", written)?
        .expect(204)
        .map(drop)
}

#[test]
fn a_store_that_takes_no_writes_is_waited_for() -> Result<()> {
    const SETTING: &str = "default_transaction_read_only";
    let cluster = Cluster::start(Options::default())?;
    let _before = Served::start(&cluster, "store", "")?;
    cluster.psql(&format!("alter database store set {SETTING} = on"))?;
    let after = Served::spawned(cluster.port(), "store", &Setup::default())?;
    until_it_waits(&after, "default_transaction_read_only is on")?;
    cluster.psql(&format!("alter database store reset {SETTING}"))?;
    after.until_answers(|status| status == 503)
}

/// Unit files reload with it: there is nothing to reload, and that is no reason to go.
#[test]
fn a_hangup_changes_nothing_and_is_told() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let mut served = Served::start(&cluster, "store", "")?;
    served.tell_to_reload()?;
    wait_until(Duration::from_secs(5), "it says what came of it", || {
        Ok(served.log()?.contains("there is nothing to reload"))
    })?;
    served
        .root()
        .get("auth/token/lookup-self")?
        .expect(200)
        .map(drop)?;
    let ended = served.terminate()?;
    ensure!(ended.success(), "ended with {ended}");
    Ok(())
}
