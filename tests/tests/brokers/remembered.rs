//! What a broker remembers is a guess: it counts only if it is still so when it is used, whoever has changed it.

use anyhow::{Context, Result};
use leasehold_tests::{Answer, Cluster, Engine, Options, Served, Setup};
use serde_json::{Value, json};
use std::time::Duration;

/// The duration of a fresh lease of role `r`.
fn granted(engine: &Engine) -> Result<Value> {
    let answer = engine.ask("r")?.expect(200)?;
    Ok(answer.at("/lease_duration")?.clone())
}

#[test]
fn what_another_broker_has_changed_counts_at_once() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let one = Served::start(&cluster, "store", "")?;
    let two = one.beside(&Setup::default())?;
    let here = Engine::ready(&one.root(), "db", cluster.port())?;
    let elsewhere = two.root();
    let there = here.seen_by(&elsewhere);

    // Roles, again and again: what was written last is what is issued.
    assert_eq!(granted(&here)?, json!(3600));
    for seconds in [60, 120, 180] {
        let role = json!({ "db_name": "c", "creation_statements": [Engine::LOGIN], "default_ttl": seconds });
        elsewhere.put("db/roles/r", role)?.expect(204)?;
        assert_eq!(granted(&here)?, json!(seconds));
        assert_eq!(granted(&there)?, json!(seconds));
    }

    // Connections: who may use them, and how logins are called.
    let connection = |changes: Value| elsewhere.put("db/config/c", changes)?.expect(204);
    connection(json!({ "username_template": "renamed-{{random 12}}" }))?;
    assert!(here.issue("r")?.1.starts_with("renamed-"));
    connection(json!({ "allowed_roles": "others" }))?;
    here.ask("r")?.expect(400)?;
    connection(json!({ "allowed_roles": "*" }))?;
    here.ask("r")?.expect(200)?;
    elsewhere.delete("db/config/c")?.expect(204)?;
    let refused = here.ask("r")?;
    assert!(refused.status >= 400, "{refused:?}");
    there.connect("c", cluster.port())?;
    here.ask("r")?.expect(200)?;

    // Roles that are gone, and are there again.
    elsewhere.delete("db/roles/r")?.expect(204)?;
    here.ask("r")?.expect(400)?;
    there.role("r", "c", json!([Engine::LOGIN]))?;
    assert_eq!(granted(&here)?, json!(3600));

    // Mounts: new ones, tuned ones, and those that are gone or somewhere else.
    here.ask("r")?.expect(200)?;
    let other = Engine::ready(&elsewhere, "other", cluster.port())?;
    other.seen_by(here.actor()).ask("r")?.expect(200)?;
    elsewhere
        .post("sys/mounts/db/tune", json!({ "max_lease_ttl": "90s" }))?
        .expect(204)?;
    assert_eq!(granted(&here)?, json!(90));
    there.disable()?.expect(204)?;
    here.ask("r")?.expect(404)?;
    Engine::ready(&elsewhere, "db", cluster.port())?;
    assert_eq!(granted(&here)?, json!(3600));
    Ok(())
}

#[test]
fn mounts_have_a_new_mark_when_one_has_changed_and_not_before() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let one = Served::start(&cluster, "store", "")?;
    Engine::ready(&one.root(), "db", cluster.port())?;
    let mark = || {
        cluster.psql_in(
            "store",
            "select revision from leasehold_broker.mount_revision",
        )
    };
    // Long enough for all that a broker does beside its requests; under a new mark every request reads all mounts again.
    let before = mark()?;
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(mark()?, before);
    // What a broker says of itself while it disables or moves a mount is nothing of the mount's.
    cluster.psql_in(
        "store",
        "update leasehold_broker.mounts set next_attempt_at = now()",
    )?;
    assert_eq!(mark()?, before);
    one.root()
        .post("sys/mounts/db/tune", json!({ "max_lease_ttl": "90s" }))?
        .expect(204)?;
    assert_ne!(mark()?, before);
    Ok(())
}

/// What eight who ask for the same thing at once are answered: every status once.
fn statuses(ask: impl Fn() -> Result<Answer> + Sync) -> Result<Vec<u16>> {
    std::thread::scope(|threads| {
        let all: Vec<_> = (0..8).map(|_| threads.spawn(&ask)).collect();
        let mut seen = Vec::new();
        for one in all {
            seen.push(one.join().ok().context("a thread that asks")??.status);
        }
        seen.sort_unstable();
        seen.dedup();
        Ok(seen)
    })
}

#[test]
fn who_asks_is_who_it_is_now() -> Result<()> {
    const MAY: &str = "path \"db/creds/*\" { capabilities = [\"read\"] } \
                       path \"sys/leases/renew\" { capabilities = [\"update\"] }";
    const MAY_NOT: &str = "path \"db/creds/*\" { capabilities = [\"deny\"] } \
                           path \"sys/leases/renew\" { capabilities = [\"deny\"] }";
    let cluster = Cluster::start(Options::default())?;
    let one = Served::start(&cluster, "store", "")?;
    let two = one.beside(&Setup::default())?;
    let engine = Engine::ready(&one.root(), "db", cluster.port())?;
    let elsewhere = two.root();
    let holder = one.holder(
        "app",
        MAY,
        json!({ "ttl": "1h", "no_default_policy": true }),
    )?;
    let here = engine.seen_by(&holder);
    let (lease, _) = engine.issue("r")?;
    let policy = |text: &str| {
        elsewhere
            .put("sys/policies/acl/app", json!({ "policy": text }))?
            .expect(204)
    };

    let issue = || here.ask("r");
    let renew = || {
        let renewal = json!({ "lease_id": lease, "increment": 600 });
        here.actor().put("sys/leases/renew", renewal)
    };
    let kinds: [&(dyn Fn() -> Result<Answer> + Sync); 2] = [&issue, &renew];

    for kind in kinds {
        // Twice: the second time it is remembered.
        for _ in 0..2 {
            assert_eq!(statuses(kind)?, [200]);
        }
        policy(MAY_NOT)?;
        assert_eq!(statuses(kind)?, [403]);
        policy(MAY)?;
        assert_eq!(statuses(kind)?, [200]);
        elsewhere.delete("sys/policies/acl/app")?.expect(204)?;
        assert_eq!(statuses(kind)?, [403]);
        policy(MAY)?;
        assert_eq!(statuses(kind)?, [200]);
    }

    // Seven wait while the first is held up, and go together then, as they were remembered.
    policy(MAY_NOT)?;
    std::thread::scope(|threads| -> Result<()> {
        let holding = threads.spawn(|| {
            const HELD: &str = "begin; lock table leasehold_broker.leases in exclusive mode; select pg_sleep(1); commit";
            cluster.psql_in("store", HELD)
        });
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(statuses(issue)?, [403]);
        holding
            .join()
            .ok()
            .context("a thread that holds")?
            .map(drop)
    })?;
    policy(MAY)?;
    assert_eq!(statuses(issue)?, [200]);

    // One alone goes another way.
    policy(MAY_NOT)?;
    here.ask("r")?.expect(403)?;
    policy(MAY)?;
    here.ask("r")?.expect(200)?;
    let token = json!({ "token": holder.token() });
    elsewhere.post("auth/token/revoke", token)?.expect(204)?;
    renew()?.expect(403)?;
    issue()?.expect(403)?;
    Ok(())
}
