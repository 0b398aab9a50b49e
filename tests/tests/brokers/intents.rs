//! Issues that are held on their way to the target, while the world around them changes: whatever comes first wins, and
//! the other leaves nothing behind.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{
    Actor, Answer, Asking, Cluster, Engine, Freeze, Options, Served, Setup, Wire, golden,
    wait_until,
};
use serde_json::json;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);
/// Part of every issue, and of nothing else that is sent to a target: the verifier.
const ISSUE: &[u8] = b"SCRAM-SHA-256$";
/// Part of the first question of a connection what has become of leases.
const SETTLE: &[u8] = b"leasehold.settle";
const READER: &str = "path \"db/creds/*\" { capabilities = [\"read\"] }";

/// Two brokers on one store. Issues of role `r` go through a wire that can be held; everything else goes straight.
struct Scene {
    store: Cluster,
    target: Cluster,
    one: Served,
    two: Served,
    engine: Engine,
    wire: Wire,
}

impl Scene {
    fn start() -> Result<Scene> {
        let store = Cluster::start(Options::default())?;
        let target = Cluster::start(Options::default())?;
        let one = Served::start(&store, "store", "")?;
        let two = one.beside(&Setup::default())?;
        let wire = Wire::new();
        let engine = Engine::mount(&one.root(), "db")?;
        engine.connect("c", wire.to(target.port())?)?;
        engine.role("r", "c", json!([Engine::LOGIN]))?;
        // Written last: the first that is tried for anything but an issue.
        engine.connect("straight", target.port())?;
        Ok(Scene {
            store,
            target,
            one,
            two,
            engine,
            wire,
        })
    }

    /// Asks for a credential at the first broker, has the issue held, does something, lets it go on.
    fn while_held(
        &self,
        caller: &Actor,
        freeze: Freeze,
        act: impl FnOnce() -> Result<()>,
    ) -> Result<Answer> {
        self.wire.freeze(freeze);
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| self.engine.seen_by(caller).ask("r"));
            let acted = wait_until(PATIENCE, "the issue is held", || Ok(self.wire.is_frozen()))
                .and_then(|()| act());
            self.wire.thaw();
            let answer = asking.join().ok().context("a thread that asks")?;
            acted.and(answer)
        })
    }

    fn logins(&self) -> Result<String> {
        self.target
            .psql("select count(*) from pg_roles where rolname like 'v-%'")
    }

    fn leases(&self) -> Result<String> {
        self.store
            .psql_in("store", "select count(*) from leasehold_broker.leases")
    }

    fn nothing_is_left(&self) -> Result<()> {
        wait_until(PATIENCE, "nothing is left", || {
            Ok(self.logins()? == "0" && self.leases()? == "0")
        })?;
        // Nor does anything come of it later.
        std::thread::sleep(Duration::from_millis(300));
        ensure!(self.logins()? == "0" && self.leases()? == "0", "it came");
        Ok(())
    }
}

#[test]
fn a_prefix_revoked_during_an_issue_takes_it_along() -> Result<()> {
    let scene = Scene::start()?;
    let answer = scene.while_held(&scene.one.root(), Freeze::Before(ISSUE), || {
        scene
            .two
            .root()
            .put("sys/leases/revoke-prefix/db/creds", json!({}))?
            .expect(204)?;
        ensure!(scene.leases()? == "0", "the intent was not settled");
        Ok(())
    })?;
    let told = answer.expect(400)?.text;
    ensure!(told.contains("revoked while it was being made"), "{told}");
    scene.nothing_is_left()?;
    // The next one is another one.
    scene.engine.issue("r")?;
    Ok(())
}

#[test]
fn a_mount_disabled_during_an_issue_takes_it_along() -> Result<()> {
    let scene = Scene::start()?;
    let answer = scene.while_held(&scene.one.root(), Freeze::Before(ISSUE), || {
        let mount = scene.engine.seen_by(&scene.two.root());
        mount.disable()?.expect(204).map(drop)
    })?;
    ensure!((400..500).contains(&answer.status), "{}", answer.text);
    scene.nothing_is_left()
}

#[test]
fn a_token_revoked_during_an_issue_takes_it_along() -> Result<()> {
    let scene = Scene::start()?;
    let holder = scene.one.holder("reader", READER, json!({}))?;
    let answer = scene.while_held(&holder, Freeze::Before(ISSUE), || {
        let token = json!({ "token": holder.token() });
        scene
            .two
            .root()
            .post("auth/token/revoke", token)?
            .expect(204)
            .map(drop)
    })?;
    answer.expect(403)?;
    scene.nothing_is_left()
}

#[test]
fn a_connection_deleted_during_an_issue_does_not_strand_it() -> Result<()> {
    let scene = Scene::start()?;
    let answer = scene.while_held(&scene.one.root(), Freeze::Before(ISSUE), || {
        scene.two.root().delete("db/config/c")?.expect(204)?;
        scene.two.root().delete("db/config/straight")?.expect(204)?;
        Ok(())
    })?;
    // It was begun before: it is whole, and ends like any other.
    let lease = answer.expect(200)?.text_at("/lease_id")?;
    scene.engine.revoke(&lease)?.expect(204)?;
    scene.nothing_is_left()
}

#[test]
fn an_answer_that_is_lost_is_asked_for_again() -> Result<()> {
    let scene = Scene::start()?;
    let answer = scene.while_held(&scene.one.root(), Freeze::Behind(ISSUE), || {
        wait_until(
            PATIENCE,
            "the login is there",
            || Ok(scene.logins()? == "1"),
        )?;
        scene.wire.cut();
        Ok(())
    })?;
    let login = answer.expect(200)?.text_at("/data/username")?;
    assert_eq!(
        scene
            .target
            .psql("select string_agg(rolname, ',') from pg_roles where rolname like 'v-%'")?,
        login,
        "one request, one login"
    );
    Ok(())
}

#[test]
fn what_nobody_is_to_have_ends_although_its_broker_dies() -> Result<()> {
    let mut scene = Scene::start()?;
    scene.wire.freeze(Freeze::Before(ISSUE));
    let client = Asking::get(scene.one.address(), &scene.one.root(), "db/creds/r")?;
    wait_until(PATIENCE, "the issue is held", || Ok(scene.wire.is_frozen()))?;
    client.leave()?;
    // The login is made, and its client has left: its broker begins to end it, and gets no further than its own store.
    scene.wire.freeze(Freeze::Before(SETTLE));
    wait_until(PATIENCE, "its end is held", || Ok(scene.wire.is_frozen()))?;
    ensure!(scene.logins()? == "1", "no login");
    // Longer than it takes to write down what the target has answered.
    std::thread::sleep(Duration::from_secs(1));
    scene.one.kill()?;
    scene.wire.cut();
    scene.nothing_is_left()
}

#[test]
fn a_lease_whose_answer_can_not_be_wrapped_ends() -> Result<()> {
    let scene = Scene::start()?;
    let rename = |from: &str, to: &str| {
        scene.store.psql_in(
            "store",
            &format!("alter table leasehold_broker.{from} rename to {to}"),
        )
    };
    rename("cubbyholes", "elsewhere")?;
    let headers = [
        (
            "X-Vault-Token".to_owned(),
            scene.one.root_token().to_owned(),
        ),
        ("X-Vault-Wrap-TTL".to_owned(), "60".to_owned()),
    ];
    let path = "/v1/db/creds/r";
    let answer = golden::send(scene.one.address(), "GET", path, &headers, None)?;
    assert_eq!(answer.status, 500);
    rename("elsewhere", "cubbyholes")?;
    scene.nothing_is_left()?;
    let made = scene
        .target
        .psql("select count(*) from leasehold.history")?;
    assert_eq!(made, "1", "there was a login");
    Ok(())
}

#[test]
fn an_issue_that_took_long_lives_no_longer_than_its_batch_token() -> Result<()> {
    let scene = Scene::start()?;
    let batch = scene.one.holder(
        "reader",
        READER,
        json!({ "type": "batch", "no_parent": true, "ttl": "60s" }),
    )?;
    let ends_at = scene.target.psql("select now() + interval '60 seconds'")?;
    let answer = scene.while_held(&batch, Freeze::Before(ISSUE), || {
        std::thread::sleep(Duration::from_secs(5));
        scene.wire.cut();
        Ok(())
    })?;
    answer.expect(200)?;
    let late = scene.target.psql(&format!(
        "select extract(epoch from rolvaliduntil - '{ends_at}') from pg_authid where rolname like 'v-%'"
    ))?;
    ensure!(late.parse::<f64>()? < 2.0, "{late} s after its token");
    Ok(())
}

#[test]
fn an_issue_that_comes_after_its_settlement_makes_nothing() -> Result<()> {
    let mut scene = Scene::start()?;
    scene.wire.freeze(Freeze::Before(ISSUE));
    let root = scene.one.root();
    let engine = scene.engine.clone();
    let asking = std::thread::spawn(move || engine.seen_by(&root).ask("r"));
    wait_until(PATIENCE, "the issue is held", || Ok(scene.wire.is_frozen()))?;
    ensure!(scene.leases()? == "1", "no intent");
    scene.one.kill()?;
    let killed_at = Instant::now();
    ensure!(
        asking.join().ok().context("a thread that asks")?.is_err(),
        "an answer of a dead broker"
    );
    // An intent counts: it is listed, and has the state of a lease.
    scene
        .two
        .root()
        .list("sys/leases/lookup/db/creds/r")?
        .expect(200)?;
    wait_until(
        Duration::from_secs(40),
        "the other broker settles it",
        || Ok(scene.leases()? == "0"),
    )?;
    let settled_after = killed_at.elapsed();
    ensure!(
        settled_after > Duration::from_secs(15),
        "settled after {settled_after:?}, while its broker could still have been at it"
    );
    scene.wire.thaw();
    wait_until(PATIENCE, "the late issue is refused", || {
        Ok(scene.target.log()?.contains("is cancelled"))
    })?;
    scene.nothing_is_left()?;
    println!(
        "settled {:.1} s after the crash",
        settled_after.as_secs_f64()
    );
    Ok(())
}
