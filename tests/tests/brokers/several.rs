//! Several brokers on one store, several stores on one cluster, store and target apart: nobody is special, nobody is in
//! another's way, and what one says is true for all.

use anyhow::{Result, ensure};
use leasehold_tests::{Cluster, Engine, Options, Served, Setup, Stop, clock_shift, wait_until};
use serde_json::json;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);
/// What happens on a target shows over HTTP within this; twice that, where others compile beside us.
const SHOWN: Duration = Duration::from_secs(4);
const READER: &str = "path \"db/creds/*\" { capabilities = [\"read\"] }";

fn logins(cluster: &Cluster) -> Result<usize> {
    let count = cluster.psql("select count(*) from pg_roles where rolname like 'v-%'")?;
    Ok(count.parse()?)
}

/// Rows of the store `name` in this cluster: leases and messages to targets.
fn rows(cluster: &Cluster, name: &str) -> Result<String> {
    cluster.psql_in(
        name,
        "select (select count(*) from leasehold_broker.leases), (select count(*) from leasehold_broker.outbox)",
    )
}

#[test]
fn two_brokers_serve_each_others_leases() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let one = Served::start(&cluster, "store", "")?;
    let two = one.beside(&Setup::default())?;
    let here = Engine::ready(&one.root(), "db", cluster.port())?;
    let there = here.seen_by(&two.root());
    let (lease, login) = here.issue("r")?;
    // What one has made the other renews, shows and ends; at once, as nothing is remembered.
    let renewed = there
        .actor()
        .put(
            "sys/leases/renew",
            json!({ "lease_id": lease, "increment": 600 }),
        )?
        .expect(200)?;
    assert_eq!(renewed.at("/lease_duration")?, &json!(600));
    assert!(
        here.ttl(&lease)?
            .is_some_and(|ttl| (595..=600).contains(&ttl))
    );
    there.revoke(&lease)?.expect(204)?;
    assert_eq!(here.ttl(&lease)?, None);
    assert_eq!(
        cluster.psql(&format!(
            "select count(*) from pg_roles where rolname = '{login}'"
        ))?,
        "0"
    );
    // Tokens and policies likewise.
    let holder = one.holder("reader", READER, json!({}))?;
    let holder_there = two.root().with_token(holder.token().unwrap_or_default());
    let (of_token, _) = there.seen_by(&holder_there).issue("r")?;
    two.root()
        .put(
            "sys/policies/acl/reader",
            json!({ "policy": "path \"elsewhere\" { capabilities = [\"read\"] }" }),
        )?
        .expect(204)?;
    here.seen_by(&holder).ask("r")?.expect(403)?;
    two.root()
        .post("auth/token/revoke", json!({ "token": holder.token() }))?
        .expect(204)?;
    holder.get("auth/token/lookup-self")?.expect(403)?;
    assert_eq!(here.ttl(&of_token)?, None);
    wait_until(PATIENCE, "nothing is left", || {
        Ok(logins(&cluster)? == 0 && rows(&cluster, "store")? == "0|0")
    })
}

#[test]
fn a_role_that_another_broker_has_changed_counts_for_the_next_renewal() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let one = Served::start(&cluster, "store", "")?;
    let two = one.beside(&Setup::default())?;
    let here = Engine::ready(&one.root(), "db", cluster.port())?;
    let there = here.seen_by(&two.root());
    let (lease, _) = here.issue("r")?;
    let renew = || {
        here.actor().put(
            "sys/leases/renew",
            json!({ "lease_id": lease, "increment": 1_800 }),
        )
    };
    let renewed = renew()?.expect(200)?;
    assert_eq!(renewed.at("/lease_duration")?, &json!(1_800));
    // This broker has read the role twice by now.
    let changed = json!({ "default_ttl": "5m", "max_ttl": "10m" });
    there.actor().put("db/roles/r", changed)?.expect(204)?;
    let renewed = renew()?.expect(200)?;
    assert!(
        renewed
            .at("/lease_duration")?
            .as_i64()
            .is_some_and(|ttl| (590..=600).contains(&ttl)),
        "{renewed:?}"
    );
    there.actor().delete("db/roles/r")?.expect(204)?;
    renew()?.expect(400)?;
    Ok(())
}

#[tokio::test]
async fn a_login_that_somebody_holds_keeps_no_other_renewal_waiting() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let served = Served::start(&cluster, "store", "")?;
    let engine = Engine::ready(&served.root(), "db", cluster.port())?;
    let (held, login) = engine.issue("r")?;
    let (free, _) = engine.issue("r")?;
    let renew = |lease: &str| {
        let asked = json!({ "lease_id": lease, "increment": 600 });
        engine.actor().put("sys/leases/renew", asked)
    };
    let holder = cluster.hold_login(&login).await?;
    std::thread::scope(|threads| {
        let waiting = threads.spawn(|| renew(&held));
        std::thread::sleep(Duration::from_millis(200));
        let began = Instant::now();
        renew(&free)?.expect(200)?;
        assert!(began.elapsed() < Duration::from_millis(1_000), "it waited");
        waiting.join().expect("no panic")?.expect(400).map(drop)
    })?;
    drop(holder);
    renew(&held)?.expect(200).map(drop)
}

#[test]
fn what_happens_on_a_target_shows_at_every_broker() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let one = Served::start(&cluster, "store", "")?;
    let two = one.beside(&Setup::default())?;
    let here = Engine::ready(&one.root(), "db", cluster.port())?;
    let there = here.seen_by(&two.root());
    let (renewed, _) = here.issue("r")?;
    let (ended, _) = there.issue("r")?;
    let (expiring, _) = here.issue("r")?;
    cluster.psql(&format!(
        "select leasehold.renew('{renewed}', '2 min'); select leasehold.renew('{expiring}', '1 s'); select leasehold.revoke('{ended}')"
    ))?;
    // One of them takes a change off the target; the store's row tells the other.
    for engine in [&there, &here] {
        wait_until(SHOWN, "both show", || {
            Ok(
                engine.ttl(&renewed)?.is_some_and(|ttl| ttl <= 120)
                    && engine.ttl(&ended)?.is_none(),
            )
        })?;
    }
    for engine in [&here, &there] {
        wait_until(SHOWN, "the end by the worker shows", || {
            Ok(engine.ttl(&expiring)?.is_none())
        })?;
    }
    Ok(())
}

#[test]
fn one_broker_goes_on_with_what_another_began() -> Result<()> {
    let store = Cluster::start(Options::default())?;
    let target = Cluster::start(Options::default())?;
    let mut one = Served::start(&store, "store", "")?;
    let two = one.beside(&Setup::default())?;
    let engine = Engine::ready(&one.root(), "db", target.port())?;
    let holder = one.holder("reader", READER, json!({}))?;
    let (lease, _) = engine.issue("r")?;
    engine.seen_by(&holder).issue("r")?;
    engine.issue("r")?;
    target.stop(Stop::Immediate)?;
    engine.revoke(&lease)?.expect(202)?;
    one.root()
        .post("auth/token/revoke", json!({ "token": holder.token() }))?
        .expect(204)?;
    one.root().delete("db/config/c")?.expect(204)?;
    engine.disable()?.expect(204)?;
    // Whoever accepted all that is no more.
    one.kill()?;
    target.start_again()?;
    wait_until(PATIENCE, "the other broker has ended everything", || {
        Ok(logins(&target)? == 0 && rows(&store, "store")? == "0|0")
    })?;
    two.root().list("sys/leases/lookup/db")?.expect(404)?;
    Ok(())
}

#[test]
fn a_mount_left_half_way_is_taken_up() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let broker = Served::start(&cluster, "store", "")?;
    let root = broker.root();
    let disabled = Engine::ready(&root, "disabled", cluster.port())?;
    let moved = Engine::ready(&root, "moved", cluster.port())?;
    let again = Engine::ready(&root, "again", cluster.port())?;
    for engine in [&disabled, &moved, &again] {
        engine.issue("r")?;
    }
    // As a broker leaves them that dies right after its first step. One that is being worked on is left to its broker …
    cluster.psql_in(
        "store",
        "update leasehold_broker.mounts set state = 'tainted', next_attempt_at = clock_timestamp() where path = 'disabled/';
         update leasehold_broker.mounts set state = 'tainted', moving_to = 'new/', migration_id = gen_random_uuid() where path = 'moved/';
         update leasehold_broker.mounts set state = 'tainted', next_attempt_at = clock_timestamp() + interval '1 hour' where path = 'again/'",
    )?;
    let mounted = || {
        cluster.psql_in(
            "store",
            "select string_agg(path || state, ' ' order by path) from leasehold_broker.mounts where type = 'database' and state <> 'gone'",
        )
    };
    wait_until(PATIENCE, "they are taken up", || {
        Ok(mounted()? == "again/tainted new/active")
    })?;
    // … unless somebody asks again.
    again.disable()?.expect(204)?;
    assert_eq!(mounted()?, "new/active");
    moved.seen_by(&root).ask("r")?.expect(404)?;
    root.get("new/creds/r")?.expect(200)?;
    assert_eq!(logins(&cluster)?, 1);
    Ok(())
}

#[test]
fn two_brokers_start_on_an_empty_store() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.create_database("store")?;
    // The schema is made under a lock; a broker that came second finds it made.
    let brokers = std::thread::scope(|scope| -> Result<Vec<Served>> {
        let starting: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| -> Result<Served> {
                    let served = Served::spawned(cluster.port(), "store", &Setup::default())?;
                    served.until_answers(|status| status == 501)?;
                    Ok(served)
                })
            })
            .collect();
        starting
            .into_iter()
            .map(|one| one.join().expect("a thread that starts a broker"))
            .collect()
    })?;
    // All initialise; one does.
    let answers = std::thread::scope(|scope| -> Result<Vec<_>> {
        let asking: Vec<_> = brokers
            .iter()
            .map(|broker| {
                scope.spawn(|| {
                    let shares = json!({"secret_shares": 1, "secret_threshold": 1});
                    broker.nobody().put("sys/init", shares)
                })
            })
            .collect();
        asking
            .into_iter()
            .map(|one| one.join().expect("a thread that initialises"))
            .collect()
    })?;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400, 400]);
    let made = answers
        .iter()
        .find(|answer| answer.status == 200)
        .expect("one has");
    let (key, root) = (
        made.text_at("/keys_base64/0")?,
        made.text_at("/root_token")?,
    );
    for broker in &brokers {
        broker
            .nobody()
            .put("sys/unseal", json!({ "key": key }))?
            .expect(200)?;
        broker
            .nobody()
            .with_token(&root)
            .get("auth/token/lookup-self")?
            .expect(200)?;
    }
    assert_eq!(
        cluster.psql_in(
            "store",
            "select count(*), count(distinct accessor) from leasehold_broker.mounts"
        )?,
        "4|4"
    );
    Ok(())
}

#[test]
fn two_stores_on_one_cluster_never_touch_each_other() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let one = Served::start(&cluster, "store_one", "")?;
    let two = Served::start(&cluster, "store_two", "")?;
    let ours = Engine::ready(&one.root(), "db", cluster.port())?;
    let theirs = Engine::ready(&two.root(), "db", cluster.port())?;
    let (lease, _) = ours.issue("r")?;
    let (foreign, login) = theirs.issue("r")?;
    // What is not of this store is as good as ended, and lives.
    assert_eq!(ours.ttl(&foreign)?, None);
    ours.revoke(&foreign)?.expect(204)?;
    one.root()
        .put("sys/leases/revoke-prefix/db", json!({}))?
        .expect(204)?;
    assert_eq!(ours.ttl(&lease)?, None);
    one.root()
        .put("sys/leases/revoke-force/db", json!({}))?
        .expect(204)?;
    ours.disable()?.expect(204)?;
    // Long enough for either to have looked at all that is on the target.
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(
        cluster.psql("select string_agg(rolname, ',') from pg_roles where rolname like 'v-%'")?,
        login
    );
    assert!(theirs.ttl(&foreign)?.is_some());
    theirs.revoke(&foreign)?.expect(204)?;
    assert_eq!(logins(&cluster)?, 0);
    Ok(())
}

#[test]
fn store_and_target_fail_apart() -> Result<()> {
    let store = Cluster::start(Options::default())?;
    let target = Cluster::start(Options::default())?;
    let mut broker = Served::start(&store, "store", "")?;
    let engine = Engine::ready(&broker.root(), "db", target.port())?;
    let (lease, _) = engine.issue("r")?;

    // The store alone is down: nobody can be told from anybody, and the target goes on by itself.
    let short = broker
        .root()
        .put(
            "sys/leases/renew",
            json!({ "lease_id": lease, "increment": 2 }),
        )?
        .expect(200)?;
    assert_eq!(short.at("/lease_duration")?, &json!(2));
    store.stop(Stop::Immediate)?;
    for answer in [
        engine.ask("r")?,
        engine.revoke(&lease)?,
        broker.root().get("auth/token/lookup-self")?,
    ] {
        ensure!(
            (500..=503).contains(&answer.status),
            "{}: {}",
            answer.status,
            answer.text
        );
    }
    wait_until(PATIENCE, "the target ends its lease", || {
        Ok(logins(&target)? == 0)
    })?;
    store.start_again()?;
    broker.until_serving()?;
    wait_until(PATIENCE, "the store hears of it", || {
        Ok(rows(&store, "store")? == "0|0")
    })?;

    // The target alone is down: told at once what can not be, accepted what will be.
    let (lease, _) = engine.issue("r")?;
    engine.issue("r")?;
    let holder = broker.holder("reader", READER, json!({}))?;
    engine.seen_by(&holder).issue("r")?;
    target.stop(Stop::Immediate)?;
    std::thread::sleep(Duration::from_millis(150));
    let began = Instant::now();
    let refused = engine.ask("r")?.expect(500)?;
    ensure!(
        refused.text.contains("failed to connect to"),
        "{}",
        refused.text
    );
    ensure!(
        began.elapsed() < Duration::from_secs(5),
        "nothing is in doubt, and it took {:?}",
        began.elapsed()
    );
    engine.revoke(&lease)?.expect(202)?;
    broker
        .root()
        .put("sys/leases/revoke-prefix/db/creds", json!({}))?
        .expect(202)?;
    broker
        .root()
        .post("auth/token/revoke", json!({ "token": holder.token() }))?
        .expect(204)?;
    broker.root().get("auth/token/lookup-self")?.expect(200)?;
    broker.root().get("db/roles/r")?.expect(200)?;
    engine.disable()?.expect(204)?;
    target.start_again()?;
    wait_until(PATIENCE, "all has ended", || {
        Ok(logins(&target)? == 0 && rows(&store, "store")? == "0|0")
    })
}

#[test]
fn the_clock_of_a_broker_does_not_matter() -> Result<()> {
    for shift in [600, -600] {
        a_broker_whose_clock_is_off(shift)?;
    }
    Ok(())
}

fn a_broker_whose_clock_is_off(shift: i64) -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let right = Served::start(&cluster, "store", "")?;
    let wrong = right.beside(&Setup {
        environment: clock_shift(shift)?,
        ..Setup::default()
    })?;
    let told = wrong
        .nobody()
        .get("sys/health")?
        .at("/server_time_utc")?
        .as_i64();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)?
        .as_secs();
    ensure!(
        told.is_some_and(|told| told.abs_diff(now as i64) > 500),
        "its clock is not off: {told:?} for {now}"
    );
    let engine = Engine::ready(&wrong.root(), "db", cluster.port())?;
    let (lease, login) = engine.issue("r")?;
    let left = cluster.psql(&format!(
        "select extract(epoch from time_left) between 3580 and 3600 from leasehold.leases where lease_id = '{lease}'"
    ))?;
    assert_eq!(left, "t", "{shift}");
    let until = cluster.psql(&format!(
        "select extract(epoch from rolvaliduntil - now()) between 3580 and 3600 from pg_roles where rolname = '{login}'"
    ))?;
    assert_eq!(until, "t", "{shift}");
    assert!(
        engine
            .ttl(&lease)?
            .is_some_and(|ttl| (3_580..=3_600).contains(&ttl)),
        "{shift}"
    );
    wrong
        .root()
        .put(
            "sys/leases/renew",
            json!({ "lease_id": lease, "increment": 120 }),
        )?
        .expect(200)?;
    for served in [&right, &wrong] {
        let seen = engine.seen_by(&served.root()).ttl(&lease)?;
        assert!(
            seen.is_some_and(|ttl| (100..=120).contains(&ttl)),
            "{shift}: {seen:?}"
        );
    }
    // A token lives its time by the store's clock, and its leases with it: made and looked at through either.
    let holder = wrong.holder("reader", READER, json!({ "ttl": "4s", "renewable": false }))?;
    let batch = wrong.holder("reader", READER, json!({ "ttl": "4s", "type": "batch" }))?;
    for actor in [&holder, &batch] {
        engine.seen_by(actor).issue("r")?;
        let elsewhere = right.root().with_token(actor.token().unwrap_or_default());
        elsewhere.get("auth/token/lookup-self")?.expect(200)?;
    }
    let looked_up = holder.get("auth/token/lookup-self")?.expect(200)?;
    let ttl = looked_up.at("/data/ttl")?.as_i64();
    assert!(
        ttl.is_some_and(|ttl| (1..=4).contains(&ttl)),
        "{shift}: {ttl:?}"
    );
    wait_until(Duration::from_secs(10), "the tokens have ended", || {
        Ok(holder.get("auth/token/lookup-self")?.status == 403
            && batch.get("auth/token/lookup-self")?.status == 403)
    })?;
    wait_until(Duration::from_secs(10), "and their leases", || {
        Ok(logins(&cluster)? == 1)
    })?;
    engine.revoke(&lease)?.expect(204)?;
    Ok(())
}

/// Somebody's open transaction has granted something on a table that a recipe grants on. Whoever asks for logins of it waits; nobody else does.
#[test]
fn a_recipe_that_is_blocked_keeps_nobody_s_end() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql("create table secret (n int)")?;
    let broker = Served::start(&cluster, "store", "")?;
    let engine = Engine::ready(&broker.root(), "db", cluster.port())?;
    engine.role(
        "blocked",
        "c",
        json!([Engine::LOGIN, "GRANT SELECT ON secret TO \"{{name}}\""]),
    )?;
    engine
        .actor()
        .put(
            "db/roles/member",
            json!({ "db_name": "c", "member_of": "pg_monitor" }),
        )?
        .expect(204)?;
    let (lease, _) = engine.issue("r")?;
    let (_, of_blocked) = engine.issue("blocked")?;
    let holding = cluster.hold("postgres", "grant insert on secret to pg_monitor")?;
    std::thread::scope(|scope| -> Result<()> {
        let blocked: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| engine.ask("blocked")))
            .collect();
        cluster.until_somebody_waits("postgres")?;
        std::thread::sleep(Duration::from_millis(500));
        let began = Instant::now();
        engine.issue("member")?;
        let issued = began.elapsed();
        engine.revoke(&lease)?.expect(204)?;
        let took = began.elapsed();
        ensure!(took < SHOWN, "they waited for {issued:?}, {took:?}");
        drop(holding);
        for one in blocked {
            // Those that waited too long have been told so, and leave nothing.
            let _ = one.join().expect("a thread")?;
        }
        Ok(())
    })?;
    ensure!(logins(&cluster)? >= 1, "{of_blocked} is gone");
    engine.disable()?.expect(204)?;
    wait_until(PATIENCE, "nothing is left", || Ok(logins(&cluster)? == 0))
}
