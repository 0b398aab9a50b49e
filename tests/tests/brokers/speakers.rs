//! As whom recipes are defined: a recipe has the rights of whoever defines it, so that is for the connection of its role alone.

use anyhow::Result;
use leasehold_tests::{Cluster, Engine, Options, Served, wait_until};
use serde_json::json;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

fn connect_as(engine: &Engine, login: &str, allowed: &str, port: u16) -> Result<()> {
    let connection = json!({
        "plugin_name": "postgresql-database-plugin", "allowed_roles": allowed, "username": login, "password": "known",
        "connection_url": format!("postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{port}/postgres?sslmode=disable"),
    });
    engine
        .actor()
        .put("limited/config/c", connection)?
        .expect(204)
        .map(drop)
}

/// A cluster with two logins for brokers, and a mount whose connection is the first of them, with a role `r`.
fn limited() -> Result<(Cluster, Served, Engine)> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql(
        "create role readers; create role first login password 'known' in role leasehold_issuer, leasehold_definer;
         create role second login password 'known' in role leasehold_issuer, leasehold_definer;
         select leasehold.offer('readers', to_role => 'first'); select leasehold.offer('readers', to_role => 'second')",
    )?;
    let broker = Served::start(&cluster, "store", "")?;
    let engine = Engine::mount(&broker.root(), "limited")?;
    connect_as(&engine, "first", "*", cluster.port())?;
    write_role(&engine, "SELECT 1")?;
    Ok((cluster, broker, engine))
}

fn write_role(engine: &Engine, ending: &str) -> Result<()> {
    let role = json!({ "db_name": "c", "member_of": "readers", "revocation_statements": ending });
    engine
        .actor()
        .put("limited/roles/r", role)?
        .expect(204)
        .map(drop)
}

fn recipe(cluster: &Cluster) -> Result<String> {
    cluster.psql(
        "select definer, revocation_statements[1] from leasehold.recipes where scope <> 'sql'",
    )
}

#[test]
fn a_recipe_is_defined_by_no_login_but_its_own_connection_s() -> Result<()> {
    let (cluster, broker, engine) = limited()?;
    engine.issue("r")?;
    assert_eq!(recipe(&cluster)?, "first|SELECT 1");
    // A connection of others, with more rights, leads to the same target, and was written last.
    let powerful = Engine::ready(&broker.root(), "powerful", cluster.port())?;
    powerful.connect("again", cluster.port())?;
    write_role(&engine, "SELECT 2")?;
    wait_until(PATIENCE, "the target has heard", || {
        Ok(recipe(&cluster)?.ends_with("SELECT 2"))
    })?;
    assert_eq!(recipe(&cluster)?, "first|SELECT 2");
    Ok(())
}

#[test]
fn recipes_with_leases_follow_their_connection_s_login() -> Result<()> {
    let (cluster, _broker, engine) = limited()?;
    engine.issue("r")?;
    connect_as(&engine, "second", "*", cluster.port())?;
    wait_until(PATIENCE, "the target has heard", || {
        Ok(recipe(&cluster)?.starts_with("second|"))
    })
}

#[test]
fn a_role_that_is_not_allowed_any_more_keeps_no_message_waiting() -> Result<()> {
    let (cluster, broker, engine) = limited()?;
    let reader = "path \"limited/creds/*\" { capabilities = [\"read\"] }";
    let holder = broker.holder("reader", reader, json!({}))?;
    let (lease, _) = engine.issue("r")?;
    let (_, of_token) = engine.seen_by(&holder).issue("r")?;
    connect_as(&engine, "second", "others", cluster.port())?;
    engine.ask("r")?.expect(400)?;
    // What lives is renewed as before, and ends.
    engine
        .actor()
        .put(
            "sys/leases/renew",
            json!({ "lease_id": lease, "increment": 600 }),
        )?
        .expect(200)?;
    broker
        .root()
        .post("auth/token/revoke", json!({ "token": holder.token() }))?
        .expect(204)?;
    wait_until(PATIENCE, "the token's lease has ended", || {
        Ok(!cluster.has_role(&of_token)?)
    })?;
    wait_until(PATIENCE, "everything is told", || {
        Ok(cluster.psql_in("store", "select count(*) from leasehold_broker.outbox")? == "0")
    })
}
