//! Where connections lead, and what happens when they come to lead elsewhere: whoever asks is told, at once and rightly.

use anyhow::{Result, ensure};
use leasehold_tests::{Cluster, Engine, Options, Served, Stop, wait_until};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

use super::scene::Scene;

const PATIENCE: Duration = Duration::from_secs(20);
/// A refusal takes no longer: a connection, a greeting, and machines that others use too.
const AT_ONCE: Duration = Duration::from_secs(3);
/// What the store says of its targets: where it believes them to be.
const PLACE: &str = "select system_identifier from leasehold_broker.targets";

/// As if the address led to another database from now on: the label is its identity, and sessions that are open go.
fn relabel(cluster: &Cluster, label: &str) -> Result<()> {
    cluster.psql(&format!(
        "security label for leasehold on database postgres is {label};
         select pg_terminate_backend(pid) from pg_stat_activity
          where datname = 'postgres' and application_name = 'leasehold' and backend_type = 'client backend'"
    ))?;
    Ok(())
}

/// Asks for a credential, which has to be refused, and soon.
fn refused_at_once(engine: &Engine, status: u16, told: &str) -> Result<()> {
    // A connection that was in use a moment ago is not asked whether it lives; whoever comes first may find out.
    let _ = engine.ask("r")?;
    let began = Instant::now();
    let answer = engine.ask("r")?.expect(status)?;
    let took = began.elapsed();
    ensure!(answer.text.contains(told), "{}", answer.text);
    ensure!(took < AT_ONCE, "told after {took:?}: {}", answer.text);
    Ok(())
}

#[test]
fn an_address_that_leads_elsewhere_is_told_at_once() -> Result<()> {
    let Scene { target, engine, .. } = &Scene::start()?;
    let (lease, _) = engine.issue("r")?;
    engine.revoke(&lease)?.expect(204)?;
    relabel(target, "'11111111-1111-4111-8111-111111111111'")?;
    refused_at_once(engine, 503, "another installation")?;
    // Written again, it is meant.
    engine.connect("c", target.port())?;
    engine.issue("r").map(drop)
}

#[test]
fn a_database_without_its_label_is_told_as_that() -> Result<()> {
    let Scene { target, engine, .. } = &Scene::start()?;
    let label = target.psql("select installation from leasehold.installation()")?;
    relabel(target, "null")?;
    refused_at_once(engine, 503, "SECURITY LABEL FOR leasehold ON DATABASE")?;
    let written = engine.connect("c", target.port());
    let told = written.err().map(|error| format!("{error:#}"));
    ensure!(
        told.as_ref()
            .is_some_and(|told| told.contains("status 400") && told.contains("lost its label")),
        "{told:?}"
    );
    // As it was, for what is looked at in the end.
    relabel(target, &format!("'{label}'"))
}

#[test]
fn a_standby_is_told_at_once_as_away() -> Result<()> {
    let scene = Scene::start()?;
    let (store, primary, engine) = (&scene.store, &scene.target, &scene.engine);
    let standby = Cluster::standby_of(primary)?;
    // Not asked: as a write to an address that was the primary's then.
    let connection = json!({
        "connection_url": format!(
            "postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{}/postgres?sslmode=disable", standby.port()
        ),
        "verify_connection": false,
    });
    let actor = engine.actor();
    actor.put("db/config/c", connection)?.expect(204)?;
    store.psql_in(
        "store",
        "update leasehold_broker.database_configs set target_id = (select target_id from leasehold_broker.targets)
          where state = 'live'",
    )?;
    refused_at_once(engine, 500, "that server takes no writes")
}

#[test]
fn a_target_that_was_upgraded_is_not_taken_for_a_copy() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let broker = Served::start(&cluster, "store", "")?;
    let one = Engine::ready(&broker.root(), "one", cluster.port())?;
    let two = Engine::ready(&broker.root(), "two", cluster.port())?;
    let gone = Engine::ready(&broker.root(), "gone", cluster.port())?;
    // Retired, as its lease lives.
    gone.issue("r")?;
    gone.actor().delete("gone/config/c")?.expect(204)?;
    let now = cluster.psql_in("store", PLACE)?;
    cluster.psql_in(
        "store",
        "update leasehold_broker.targets set system_identifier = '1'",
    )?;
    // Neither leads to what the store knows: there is no original beside.
    one.connect("c", cluster.port())?;
    assert_eq!(cluster.psql_in("store", PLACE)?, now);
    two.connect("c", cluster.port())?;
    one.issue("r")?;
    two.issue("r").map(drop)
}

#[test]
fn a_copy_is_refused_while_its_original_is_there_or_away() -> Result<()> {
    let scene = Scene::start()?;
    let (original, broker) = (&scene.target, &scene.broker);
    let label = original.psql("select installation from leasehold.installation()")?;
    // In a database of another number: the servers of a test are copies of one, down to their system identifier.
    let bare = Options {
        extension: false,
        ..Options::default()
    };
    let elsewhere = Cluster::start(bare)?;
    elsewhere.create_database("copy")?;
    elsewhere.psql_in(
        "copy",
        &format!(
            "create extension leasehold; security label for leasehold on database copy is '{label}'"
        ),
    )?;
    let beside = Engine::mount(&broker.root(), "beside")?;
    let connection = json!({
        "plugin_name": "postgresql-database-plugin",
        "connection_url": elsewhere.url("{{username}}", "{{password}}", "copy"),
        "username": Cluster::SUPERUSER, "password": Cluster::SUPERUSER_PASSWORD,
    });
    let refused = || -> Result<()> {
        let written = beside.actor().put("beside/config/c", connection.clone())?;
        let answer = written.expect(400)?;
        ensure!(answer.text.contains("SECURITY LABEL"), "{}", answer.text);
        Ok(())
    };
    refused()?;
    original.stop(Stop::Fast)?;
    refused()
}

#[test]
fn writing_a_connection_and_issuing_through_it_do_not_lock_each_other_out() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let broker = Served::start(&cluster, "store", "")?;
    let engine = Engine::ready(&broker.root(), "db", cluster.port())?;
    // As an intent holds what it builds on: the role, and after a while, in which a write comes, its configuration.
    let intent = || {
        cluster.psql_in(
            "store",
            "begin;
             select from leasehold_broker.database_roles where name = 'r' for share;
             select pg_sleep(3);
             select from leasehold_broker.database_configs where name = 'c' for share;
             commit",
        )
    };
    std::thread::scope(|threads| -> Result<()> {
        let held = threads.spawn(intent);
        wait_until(PATIENCE, "the intent holds its role", || {
            let asleep = "select count(*) from pg_stat_activity where datname = 'store' and wait_event = 'PgSleep'";
            Ok(cluster.psql(asleep)? == "1")
        })?;
        let change = json!({ "max_open_connections": 3 });
        engine.actor().put("db/config/c", change)?.expect(204)?;
        held.join().expect("no panic").map(drop)
    })?;
    engine.issue("r").map(drop)
}

#[test]
fn what_is_kept_and_does_nothing_is_said() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let broker = Served::start(&cluster, "store", "")?;
    let engine = Engine::ready(&broker.root(), "db", cluster.port())?;
    let actor = engine.actor();
    let told = |path: &str, fields: Value, about: &str| -> Result<()> {
        let answer = actor.put(path, fields)?.expect(200)?;
        let warning = answer.text_at("/warnings/0")?;
        ensure!(warning.contains(about), "{warning}");
        Ok(())
    };
    let policy = json!({ "password_policy": "strong" });
    let rotation = json!({ "root_rotation_statements": ["ALTER ROLE x"] });
    told("db/config/c", policy.clone(), "password_policy")?;
    told("db/config/c", rotation, "root_rotation_statements")?;
    told(
        "db/roles/r",
        json!({ "credential_config": policy }),
        "password_policy",
    )?;
    // Said to whoever sets it, not ever after.
    for (path, fields) in [
        ("db/config/c", json!({ "allowed_roles": "r" })),
        ("db/config/c", json!({ "password_policy": "" })),
        ("db/config/c", json!({ "root_rotation_statements": [] })),
        ("db/roles/r", json!({ "default_ttl": "1h" })),
        ("db/roles/r", json!({ "credential_config": {} })),
    ] {
        actor.put(path, fields)?.expect(204)?;
    }
    Ok(())
}

#[test]
fn a_connection_string_of_another_kind_is_kept_by_nobody() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let broker = Served::start(&cluster, "store", "")?;
    let engine = Engine::mount(&broker.root(), "db")?;
    for verify in [true, false] {
        let connection = json!({
            "plugin_name": "postgresql-database-plugin", "verify_connection": verify,
            "connection_url": "jdbc:postgresql://127.0.0.1/db?user=u&password=hunter2",
        });
        let refused = engine.actor().put("db/config/c", connection)?.expect(400)?;
        ensure!(!refused.text.contains("hunter2"), "{}", refused.text);
        engine.actor().get("db/config/c")?.expect(404)?;
    }
    Ok(())
}
