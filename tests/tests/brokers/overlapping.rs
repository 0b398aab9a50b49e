//! Writes that overlap, and writes that fail half-way: what somebody else has written stays, and nothing is lost in between.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{
    Actor, Answer, Cluster, Engine, Freeze, Options, Served, Wire, golden, wait_until,
};
use serde_json::{Value, json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

fn scene() -> Result<(Cluster, Served)> {
    let cluster = Cluster::start(Options::default())?;
    let served = Served::start(&cluster, "store", "")?;
    Ok((cluster, served))
}

/// Asks while these statements have been done in the store and are not yet committed; they are when somebody waits for them.
fn asked_meanwhile(
    cluster: &Cluster,
    statements: &str,
    ask: impl Fn() -> Result<Answer> + Sync,
) -> Result<Answer> {
    let held = cluster.hold("store", statements)?;
    std::thread::scope(|threads| {
        let asking = threads.spawn(&ask);
        let waits = cluster.until_somebody_waits("store");
        held.commit()?;
        waits?;
        asking.join().ok().context("a thread that asks")?
    })
}

#[test]
fn two_who_tune_a_mount_at_once_both_have_their_way() -> Result<()> {
    let (cluster, served) = scene()?;
    let root = served.root();
    root.post("sys/mounts/db", json!({ "type": "database" }))?
        .expect(204)?;
    let tune = || root.post("sys/mounts/db/tune", json!({ "max_lease_ttl": "90s" }));
    let described = "update leasehold_broker.mounts set description = 'of another', \
                     options = '{\"of\": \"another\"}' where path = 'db/'";
    asked_meanwhile(&cluster, described, tune)?.expect(204)?;
    let tuned = root.get("sys/mounts/db/tune")?.expect(200)?;
    assert_eq!(tuned.at("/data/description")?, &json!("of another"));
    assert_eq!(tuned.at("/data/options/of")?, &json!("another"));
    assert_eq!(tuned.at("/data/max_lease_ttl")?, &json!(90));

    // One that is disabled meanwhile was not tuned.
    let tainted = "update leasehold_broker.mounts set state = 'tainted', next_attempt_at = now() + interval '1 hour' \
                    where path = 'db/'";
    asked_meanwhile(&cluster, tainted, tune)?.expect(400)?;
    Ok(())
}

#[test]
fn two_who_write_a_token_role_at_once_both_have_their_way() -> Result<()> {
    let (cluster, served) = scene()?;
    let root = served.root();
    let write = |by: &Actor| by.post("auth/token/roles/r", json!({ "token_num_uses": 3 }));
    write(&root)?.expect(204)?;
    let bound = "update leasehold_broker.token_roles set settings = settings || '{\"orphan\": true}' where name = 'r'";
    asked_meanwhile(&cluster, bound, || write(&root))?.expect(204)?;
    let role = root.get("auth/token/roles/r")?.expect(200)?;
    assert_eq!(role.at("/data/orphan")?, &json!(true));
    assert_eq!(role.at("/data/token_num_uses")?, &json!(3));
    Ok(())
}

#[test]
fn whoever_may_only_create_a_role_overwrites_none() -> Result<()> {
    const MAY_CREATE: &str = "path \"auth/token/roles/*\" { capabilities = [\"create\"] }";
    let (cluster, served) = scene()?;
    let creator = served.holder("creator", MAY_CREATE, json!({}))?;
    let write = || creator.post("auth/token/roles/r", json!({ "token_num_uses": 3 }));
    let made = "insert into leasehold_broker.token_roles (name, settings) values ('r', '{\"orphan\": true}')";
    asked_meanwhile(&cluster, made, write)?.expect(403)?;
    let role = served.root().get("auth/token/roles/r")?.expect(200)?;
    assert_eq!(role.at("/data/orphan")?, &json!(true));
    ensure!(role.at("/data/token_num_uses").is_err(), "{role:?}");
    // What is not there is theirs to make, and what is refused leaves nothing behind.
    let bad = json!({ "token_type": "x" });
    creator.post("auth/token/roles/other", bad)?.expect(400)?;
    served.root().get("auth/token/roles/other")?.expect(404)?;
    creator
        .post("auth/token/roles/other", json!({}))?
        .expect(204)?;
    Ok(())
}

/// May make connections and roles of the engine, and change none.
const MAY_CREATE_IN_DB: &str = "path \"db/config/*\" { capabilities = [\"create\"] } \
                                path \"db/roles/*\" { capabilities = [\"create\"] }";

#[test]
fn whoever_may_only_create_a_connection_overwrites_none() -> Result<()> {
    let (cluster, served) = scene()?;
    let creator = served.holder("creator", MAY_CREATE_IN_DB, json!({}))?;
    let engine = Engine::mount(&served.root(), "db")?;
    let theirs = engine.seen_by(&creator);
    // Their target keeps the broker waiting, and somebody with all rights makes the connection meanwhile.
    let wire = Wire::new();
    let port = wire.to(cluster.port())?;
    wire.freeze(Freeze::After(1));
    std::thread::scope(|threads| -> Result<()> {
        let asking = threads.spawn(|| theirs.connect("c", port));
        let stands = wait_until(PATIENCE, "their target is asked", || Ok(wire.is_frozen()));
        let made = stands.and_then(|()| engine.connect("c", cluster.port()));
        wire.thaw();
        let refused = asking.join().ok().context("a thread that asks")?;
        made?;
        let refused = refused.err().context("the connection was overwritten")?;
        ensure!(format!("{refused:#}").contains("403"), "{refused:#}");
        Ok(())
    })?;
    let kept = served.root().get("db/config/c")?.expect(200)?;
    let url = kept.text_at("/data/connection_details/connection_url")?;
    ensure!(url.contains(&format!(":{}/", cluster.port())), "{url}");
    // What is not there is theirs to make.
    theirs.connect("other", cluster.port())
}

#[test]
fn whoever_may_only_create_a_role_of_the_engine_overwrites_none() -> Result<()> {
    let (cluster, served) = scene()?;
    let creator = served.holder("creator", MAY_CREATE_IN_DB, json!({}))?;
    let engine = Engine::mount(&served.root(), "db")?;
    engine.connect("c", cluster.port())?;
    let role = |seconds: i64| json!({ "db_name": "c", "creation_statements": [Engine::LOGIN], "default_ttl": seconds });
    let write = |name: &str| creator.put(&format!("db/roles/{name}"), role(60));

    // Another one is making the same role, and it comes first.
    let made = "insert into leasehold_broker.database_roles (mount_id, name, settings, revision) \
                select mount_id, 'r', '{\"db_name\": \"another\"}', nextval('leasehold_broker.role_revision') \
                  from leasehold_broker.mounts where path = 'db/'";
    asked_meanwhile(&cluster, made, || write("r"))?.expect(403)?;
    let kept = served.root().get("db/roles/r")?.expect(200)?;
    assert_eq!(kept.at("/data/db_name")?, &json!("another"));
    ensure!(kept.at("/data/default_ttl").is_err(), "{kept:?}");

    // Two who may only create do it at the same moment: one of them has made it.
    let held = cluster.hold(
        "store",
        "lock table leasehold_broker.database_roles in exclusive mode",
    )?;
    let mut statuses = std::thread::scope(|threads| -> Result<Vec<u16>> {
        let asking: Vec<_> = (0..2).map(|_| threads.spawn(|| write("both"))).collect();
        let waits = cluster.until_somebody_waits("store");
        held.commit()?;
        waits?;
        let mut statuses = Vec::new();
        for one in asking {
            statuses.push(one.join().ok().context("a thread that asks")??.status);
        }
        Ok(statuses)
    })?;
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 403]);

    // What is not there is theirs to make, and what is refused leaves nothing behind.
    let bad = json!({ "db_name": "c", "credential_type": "x" });
    creator.put("db/roles/other", bad)?.expect(400)?;
    served.root().get("db/roles/other")?.expect(404)?;
    write("other")?.expect(204)?;
    Ok(())
}

#[test]
fn what_is_wrapped_again_is_in_one_of_the_two() -> Result<()> {
    let (cluster, served) = scene()?;
    let root = served.root();
    let headers = [
        ("X-Vault-Token".to_owned(), served.root_token().to_owned()),
        ("X-Vault-Wrap-TTL".to_owned(), "1h".to_owned()),
    ];
    let body = br#"{"a":"secret"}"#;
    let wrapped = golden::send(
        served.address(),
        "PUT",
        "/v1/sys/wrapping/wrap",
        &headers,
        Some(body),
    )?;
    let wrapped: Value = serde_json::from_str(&wrapped.text)?;
    let named = json!({ "token": wrapped["wrap_info"]["token"] });

    // The store takes no new token: the old one is as good as before.
    let refuse = "create function public.refuse() returns trigger language plpgsql as \
                  'begin raise exception ''not now''; end'; \
                  create trigger refuse before insert on leasehold_broker.cubbyholes \
                  for each row execute function public.refuse()";
    cluster.psql_in("store", refuse)?;
    let failed = root.put("sys/wrapping/rewrap", named.clone())?;
    ensure!(failed.status >= 500, "{failed:?}");
    cluster.psql_in(
        "store",
        "drop trigger refuse on leasehold_broker.cubbyholes",
    )?;

    let again = root
        .put("sys/wrapping/rewrap", named.clone())?
        .expect(200)?;
    assert_eq!(again.at("/wrap_info/ttl")?, &json!(3600));
    root.put("sys/wrapping/unwrap", named)?.expect(400)?;
    let named = json!({ "token": again.at("/wrap_info/token")? });
    let unwrapped = root
        .put("sys/wrapping/unwrap", named.clone())?
        .expect(200)?;
    assert_eq!(unwrapped.at("/data/a")?, &json!("secret"));
    root.put("sys/wrapping/unwrap", named)?.expect(400)?;
    Ok(())
}
