//! What ends a token ends its leases: also with every broker down, for children, for batch tokens, and with the target
//! away when it was said.

use anyhow::{Result, ensure};
use leasehold_tests::{Cluster, Setup, Stop, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

use super::scene::Scene;

const PATIENCE: Duration = Duration::from_secs(20);
const READER: &str = "path \"db/creds/*\" { capabilities = [\"read\"] }\n\
     path \"auth/token/create\" { capabilities = [\"update\"] }\n\
     path \"auth/token/renew-self\" { capabilities = [\"update\"] }";

/// A child of a token.
fn child(of: &leasehold_tests::Actor, more: Value) -> Result<leasehold_tests::Actor> {
    let made = of.post("auth/token/create", more)?.expect(200)?;
    Ok(of.with_token(&made.text_at("/auth/client_token")?))
}

#[test]
fn leases_end_with_their_token_while_every_broker_is_down() -> Result<()> {
    let mut scene = Scene::start()?;
    let parent = scene
        .broker
        .holder("reader", READER, json!({ "ttl": "6s" }))?;
    let mut logins = Vec::new();
    // Its own, a child's that could live longer, one of a batch token below it, and one of a batch token's own end.
    let child_of_it = child(&parent, json!({ "ttl": "1h" }))?;
    let batch = child(&parent, json!({ "type": "batch", "ttl": "1h" }))?;
    let orphan = scene.broker.holder(
        "reader",
        READER,
        json!({ "type": "batch", "no_parent": true, "ttl": "6s" }),
    )?;
    for actor in [&parent, &child_of_it, &batch, &orphan] {
        logins.push(scene.engine.seen_by(actor).issue("r")?.1);
    }
    let (_, of_root) = scene.engine.issue("r")?;
    scene.broker.kill()?;
    for login in &logins {
        ensure!(scene.target.has_role(login)?, "{login} ended too early");
    }
    for login in &logins {
        wait_until(Duration::from_secs(10), "it ended with its token", || {
            Ok(!scene.target.has_role(login)?)
        })?;
    }
    ensure!(
        scene.target.has_role(&of_root)?,
        "another token's has ended"
    );
    // Whoever comes next hears of it.
    let another = scene.broker.beside(&Setup::default())?;
    wait_until(PATIENCE, "the store has heard", || {
        let left = scene
            .store
            .psql_in("store", "select count(*) from leasehold_broker.leases")?;
        Ok(left == "1")
    })?;
    another.root().get("auth/token/lookup-self")?.expect(200)?;
    Ok(())
}

#[test]
fn a_token_that_was_renewed_twice_lives_on_where_the_first_news_comes_late() -> Result<()> {
    let scene = Scene::start()?;
    let holder = scene
        .broker
        .holder("reader", READER, json!({ "ttl": "1h" }))?;
    let here = scene.engine.seen_by(&holder);
    let (_, login) = here.issue("r")?;
    scene.target.stop(Stop::Fast)?;
    let in_store = |text: &str| scene.store.psql_in("store", text);
    for increment in ["6s", "1h"] {
        holder
            .post("auth/token/renew-self", json!({ "increment": increment }))?
            .expect(200)?;
        in_store(
            "create table if not exists first as select target_id, kind, payload from leasehold_broker.outbox",
        )?;
    }
    // However often it is renewed meanwhile, there is one message (but for one that is being looked at in that moment).
    for _ in 0..6 {
        holder
            .post("auth/token/renew-self", json!({ "increment": "1h" }))?
            .expect(200)?;
    }
    let waiting: u32 = in_store("select count(*) from leasehold_broker.outbox")?.parse()?;
    ensure!((1..4).contains(&waiting), "{waiting} messages wait");
    // Somebody may be telling the first one still.
    in_store(
        "insert into leasehold_broker.outbox (target_id, kind, payload) select target_id, kind, payload from first;
         with second as (delete from leasehold_broker.outbox
                          where outbox_id = (select min(outbox_id) from leasehold_broker.outbox) returning target_id, kind, payload)
         insert into leasehold_broker.outbox (target_id, kind, payload) select * from second",
    )?;
    // The first of the two ends has passed before the target hears of either.
    std::thread::sleep(Duration::from_secs(7));
    // It hears of them together: each is tried again in its own time otherwise.
    let due = |when: &str| {
        let text = format!("update leasehold_broker.outbox set next_attempt_at = {when}");
        scene.store.psql_in("store", &text)
    };
    due("now() + interval '1 hour'")?;
    scene.target.start_again()?;
    due("now()")?;
    wait_until(PATIENCE, "the target has heard of both", || {
        let waiting = "select count(*) from leasehold_broker.outbox";
        Ok(scene.store.psql_in("store", waiting)? == "0")
    })?;
    std::thread::sleep(Duration::from_millis(1_500));
    ensure!(scene.target.has_role(&login)?, "the lease has ended");
    here.issue("r")?;
    Ok(())
}

#[test]
fn a_lease_lives_as_long_as_a_token_that_is_being_renewed() -> Result<()> {
    let scene = Scene::start()?;
    let holder = scene
        .broker
        .holder("reader", READER, json!({ "ttl": "5m" }))?;
    let accessor = holder
        .get("auth/token/lookup-self")?
        .expect(200)?
        .text_at("/data/accessor")?;
    let renew = format!(
        "update leasehold_broker.tokens set expires_at = now() + interval '2 hours', revision = revision + 1 \
          where accessor = '{accessor}'"
    );
    let renewing = scene.store.hold("store", &renew)?;
    let here = scene.engine.seen_by(&holder);
    std::thread::scope(|scope| -> Result<()> {
        let issuing = scope.spawn(|| here.issue("r"));
        scene.store.until_somebody_waits("store")?;
        renewing.commit()?;
        issuing.join().expect("a thread").map(drop)
    })?;
    let told = scene.target.psql(&format!(
        "select ends_at > now() + interval '1 hour' from leasehold.owners where owner = '{accessor}'"
    ))?;
    assert_eq!(told, "t");
    Ok(())
}

#[test]
fn a_last_use_is_the_end_whatever_becomes_of_it() -> Result<()> {
    let mut scene = Scene::start()?;
    let used = |store: &Cluster, accessor: &str| {
        store.psql_in(
            "store",
            &format!(
                "select uses_left, ended_at is not null, expires_at < now() + interval '61 seconds' \
                   from leasehold_broker.tokens where accessor = '{accessor}'"
            ),
        )
    };
    let root = scene.broker.root();
    let token = |path: &str| -> Result<(leasehold_tests::Actor, String)> {
        let made = root
            .post(path, json!({ "num_uses": 1, "policies": ["default"] }))?
            .expect(200)?;
        let holder = root.with_token(&made.text_at("/auth/client_token")?);
        Ok((holder, made.text_at("/auth/accessor")?))
    };
    // From an address that it is not bound to nobody uses it up.
    let elsewhere = json!({ "token_bound_cidrs": "10.0.0.0/8" });
    root.post("auth/token/roles/elsewhere", elsewhere)?
        .expect(204)?;
    let (elsewhere, bound) = token("auth/token/create/elsewhere")?;
    elsewhere.get("auth/token/lookup-self")?.expect(403)?;
    assert_eq!(used(&scene.store, &bound)?, "1|f|f");

    // The end of this one waits for somebody, and its broker dies.
    let (once, accessor) = token("auth/token/create")?;
    let lock = "lock table leasehold_broker.cubbyholes in exclusive mode";
    let holding = scene.store.hold("store", lock)?;
    let asking = std::thread::spawn(move || once.get("auth/token/lookup-self"));
    scene.store.until_somebody_waits("store")?;
    scene.broker.kill()?;
    ensure!(asking.join().expect("a thread").is_err(), "an answer");
    drop(holding);
    assert_eq!(used(&scene.store, &accessor)?, "0|f|t");
    Ok(())
}

#[test]
fn a_renewed_token_keeps_its_leases_though_the_target_was_away() -> Result<()> {
    let scene = Scene::start()?;
    let holder = scene
        .broker
        .holder("reader", READER, json!({ "ttl": "8s" }))?;
    let (_, login) = scene.engine.seen_by(&holder).issue("r")?;
    let left_alone = scene
        .broker
        .holder("reader", READER, json!({ "ttl": "8s" }))?;
    let (_, ending) = scene.engine.seen_by(&left_alone).issue("r")?;
    scene.target.stop(Stop::Fast)?;
    holder
        .post("auth/token/renew-self", json!({ "increment": "1h" }))?
        .expect(200)?;
    let waiting = scene.store.psql_in(
        "store",
        "select string_agg(kind, ',') from leasehold_broker.outbox",
    )?;
    assert_eq!(waiting, "move_owner");
    scene.target.start_again()?;
    wait_until(PATIENCE, "the other token's lease has ended", || {
        Ok(!scene.target.has_role(&ending)?)
    })?;
    std::thread::sleep(Duration::from_millis(500));
    ensure!(
        scene.target.has_role(&login)?,
        "the lease of a renewed token has ended"
    );
    let due = scene.target.psql(&format!(
        "select extract(epoch from ends_at - now()) > 3000 from leasehold.owners o join leasehold.leases l on l.owner = o.owner \
          where l.login = '{login}'"
    ))?;
    assert_eq!(due, "t");
    Ok(())
}

#[test]
fn a_batch_token_ends_with_its_parent_and_caps_its_leases() -> Result<()> {
    let scene = Scene::start()?;
    let parent = scene
        .broker
        .holder("reader", READER, json!({ "ttl": "1h" }))?;
    let batch = child(&parent, json!({ "type": "batch", "ttl": "30m" }))?;
    let (lease, login) = scene.engine.seen_by(&batch).issue("r")?;
    // A renewal can not pass the token's own end.
    let renewed = scene
        .broker
        .root()
        .put(
            "sys/leases/renew",
            json!({ "lease_id": lease, "increment": "10h" }),
        )?
        .expect(200)?;
    let granted = renewed.at("/lease_duration")?.as_i64();
    ensure!(
        granted.is_some_and(|ttl| (1_700..=1_800).contains(&ttl)),
        "{granted:?}"
    );
    // And the parent's end is its own.
    scene
        .broker
        .root()
        .post("auth/token/revoke", json!({ "token": parent.token() }))?
        .expect(204)?;
    batch.get("db/creds/r")?.expect(403)?;
    wait_until(PATIENCE, "its lease has ended", || {
        Ok(!scene.target.has_role(&login)? && scene.engine.ttl(&lease)?.is_none())
    })
}
