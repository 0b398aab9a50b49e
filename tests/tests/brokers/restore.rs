//! A store that was restored has forgotten leases, ends and renewals. The targets remember, and within the bound both
//! sides tell the same story again, with the brokers going on all the time.

use anyhow::{Result, ensure};
use leasehold_tests::{Actor, Cluster, Engine, Options, Served, Setup, wait_until};
use serde_json::json;
use std::time::Duration;

const AGREE: Duration = Duration::from_secs(30);
const READER: &str = "path \"db/creds/*\" { capabilities = [\"read\"] }";

/// Puts the store back to what it was, under the feet of its brokers.
fn restore(store: &Cluster, dump: &str) -> Result<()> {
    store
        .psql_in(
            "store",
            &format!("begin; drop schema leasehold_broker cascade; {dump}; commit;"),
        )
        .map(drop)
}

fn store_leases(store: &Cluster) -> Result<String> {
    store.psql_in(
        "store",
        "select lease_id from leasehold_broker.leases where lease_id not in (select lease_id from leasehold_broker.intents) \
          order by lease_id",
    )
}

fn target_leases(target: &Cluster) -> Result<String> {
    target.psql("select lease_id from leasehold.leases where state = 'active' order by lease_id collate \"C\"")
}

#[test]
fn a_restored_store_and_its_targets_come_to_agree() -> Result<()> {
    let store = Cluster::start(Options::default())?;
    let target = Cluster::start(Options::default())?;
    let one = Served::start(&store, "store", "")?;
    let two = one.beside(&Setup::default())?;
    let engine = Engine::ready(&one.root(), "db", target.port())?;
    let of = |actor: &Actor| engine.seen_by(actor).issue("r");
    let renew = |lease: &str, seconds: i64| {
        let wanted = json!({ "lease_id": lease, "increment": seconds });
        engine.actor().put("sys/leases/renew", wanted)
    };

    let holder = one.holder("reader", READER, json!({ "ttl": "2h" }))?;
    let revoked_later = one.holder("reader", READER, json!({}))?;
    let (kept, _) = engine.issue("r")?;
    let (ended, _) = engine.issue("r")?;
    wait_until(AGREE, "all are confirmed", || {
        Ok(store_leases(&store)?.lines().count() == 2)
    })?;
    let dump = store.dump_database("store")?;

    // All this the store will have forgotten.
    renew(&kept, 7_200)?.expect(200)?;
    engine.revoke(&ended)?.expect(204)?;
    let (made, _) = engine.issue("r")?;
    let (of_known, _) = of(&holder)?;
    let stranger = one.holder("reader", READER, json!({}))?;
    let (of_stranger, _) = of(&stranger)?;
    let (of_revoked, _) = of(&revoked_later)?;
    let token = json!({ "token": revoked_later.token() });
    one.root().post("auth/token/revoke", token)?.expect(204)?;
    engine.role(
        "r",
        "c",
        json!([
            Engine::LOGIN,
            "COMMENT ON ROLE \"{{name}}\" IS 'second text'"
        ]),
    )?;
    let (of_second_text, _) = engine.issue("r")?;
    std::thread::sleep(Duration::from_secs(1));

    restore(&store, &dump)?;
    wait_until(AGREE, "store and target agree", || {
        let here = store_leases(&store)?;
        Ok(here == target_leases(&target)? && !here.contains(&of_stranger))
    })?;
    let here = store_leases(&store)?;
    for lease in [&kept, &made, &of_known, &of_second_text] {
        ensure!(here.contains(lease.as_str()), "{lease} was lost");
    }
    for lease in [&ended, &of_stranger, &of_revoked] {
        ensure!(!here.contains(lease.as_str()), "{lease} came back");
    }
    for broker in [&one, &two] {
        let engine = engine.seen_by(&broker.root());
        wait_until(AGREE, "the renewal is known again", || {
            Ok(engine.ttl(&kept)?.is_some_and(|ttl| ttl > 3_700))
        })?;
        stranger.get("auth/token/lookup-self")?.expect(403)?;
    }
    // What was taken in again is a lease like any other: it is renewed, and ends with its token.
    renew(&made, 600)?.expect(200)?;
    engine.revoke(&made)?.expect(204)?;
    let token = json!({ "token": holder.token() });
    two.root().post("auth/token/revoke", token)?.expect(204)?;
    wait_until(AGREE, "the lease has ended with its token", || {
        Ok(!target_leases(&target)?.contains(&of_known))
    })?;
    // The recipe there is newer than the store's memory of it; the role serves all the same.
    engine.issue("r")?;
    // A token that was revoked lives again in the store, as restoring means; it gets nothing from a target that remembers.
    engine.seen_by(&revoked_later).ask("r")?.expect(403)?;
    engine.disable()?.expect(204)?;
    wait_until(AGREE, "nothing is left", || {
        Ok(target_leases(&target)?.is_empty() && store_leases(&store)?.is_empty())
    })
}

#[test]
fn a_policy_of_a_restored_store_is_not_taken_for_one_that_was_lost() -> Result<()> {
    const MAY: &str = "path \"cubbyhole/*\" { capabilities = [\"read\", \"create\", \"update\"] }";
    const MAY_NOT: &str = "path \"cubbyhole/*\" { capabilities = [\"deny\"] }";
    let store = Cluster::start(Options::default())?;
    let one = Served::start(&store, "store", "")?;
    let two = one.beside(&Setup::default())?;
    let holder = one.holder("p", MAY_NOT, json!({ "no_default_policy": true }))?;
    let asks = || holder.put("cubbyhole/a", json!({ "b": "c" }));
    let policy = |text: &str| {
        two.root()
            .put("sys/policies/acl/p", json!({ "policy": text }))?
            .expect(204)
    };
    asks()?.expect(403)?;
    let dump = store.dump_database("store")?;
    // The first broker remembers a text that the store will have lost, and the next one has that one's revision.
    policy(MAY)?;
    asks()?.expect(204)?;
    restore(&store, &dump)?;
    asks()?.expect(403)?;
    policy(MAY_NOT)?;
    asks()?.expect(403)?;
    Ok(())
}

#[test]
fn a_token_that_a_restore_has_lost_is_not_taken_for_the_one_that_has_its_number() -> Result<()> {
    const MAY: &str = "path \"db/creds/*\" { capabilities = [\"read\"] } \
                       path \"sys/leases/renew\" { capabilities = [\"update\"] } \
                       path \"auth/token/create\" { capabilities = [\"update\"] }";
    let store = Cluster::start(Options::default())?;
    let target = Cluster::start(Options::default())?;
    let one = Served::start(&store, "store", "")?;
    let engine = Engine::ready(&one.root(), "db", target.port())?;
    // Writes the policy, which the store will not have lost.
    one.holder("p", MAY, json!({}))?;
    let (lease, _) = engine.issue("r")?;
    wait_until(AGREE, "it is confirmed", || {
        Ok(!store_leases(&store)?.is_empty())
    })?;
    let dump = store.dump_database("store")?;

    let make = |maker: &Actor, wanted: serde_json::Value| -> Result<Actor> {
        let made = maker.post("auth/token/create", wanted)?.expect(200)?;
        Ok(maker.with_token(&made.text_at("/auth/client_token")?))
    };
    let newest = || store.psql_in("store", "select max(token_id) from leasehold_broker.tokens");
    let renew = |by: &Actor| {
        by.put(
            "sys/leases/renew",
            json!({ "lease_id": lease, "increment": 600 }),
        )
    };
    let service = || make(&one.root(), json!({ "policies": ["p"] }));
    let lost = service()?;
    let number = newest()?;
    let batch = make(&lost, json!({ "type": "batch", "ttl": "1h" }))?;
    // Twice: the second time the broker remembers who asks.
    for _ in 0..2 {
        engine.seen_by(&lost).ask("r")?.expect(200)?;
        renew(&lost)?.expect(200)?;
    }
    engine.seen_by(&batch).ask("r")?.expect(200)?;

    restore(&store, &dump)?;
    let new = service()?;
    assert_eq!(newest()?, number);
    engine.seen_by(&lost).ask("r")?.expect(403)?;
    renew(&lost)?.expect(403)?;
    engine.seen_by(&batch).ask("r")?.expect(403)?;
    // Its number is the other one's now.
    engine.seen_by(&new).ask("r")?.expect(200)?;
    renew(&new)?.expect(200)?;
    let of_new = make(&new, json!({ "type": "batch", "ttl": "1h" }))?;
    engine.seen_by(&of_new).ask("r")?.expect(200).map(drop)
}
