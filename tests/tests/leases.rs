//! Leases over HTTP where things go wrong around them: a target that is away, a connection that was deleted or leads
//! elsewhere, ends made in SQL, clients that leave, tokens that end while credentials are being made.
//! Store and target are two clusters here.

use anyhow::{Result, ensure};
use leasehold_tests::{
    Actor, Answer, Asking, Broker, Cluster, DevOptions, Options, Stop, built, wait_until,
};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(15);
const LOGIN: &str =
    "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'";
/// A superuser of the target, as the guide has one in its configuration.
const ADMIN: (&str, &str) = ("lh_test_admin", "lh_test_admin_password");

/// A broker, a target of its own, and a mount `db/` with connection `pg` and role `app`.
struct Scene {
    broker: Broker,
    target: Cluster,
    root: Actor,
}

impl Scene {
    fn start() -> Result<Scene> {
        let target = Cluster::start(Options::default())?;
        target.psql(&format!(
            "create role {} superuser login password '{}'",
            ADMIN.0, ADMIN.1
        ))?;
        let broker = Broker::dev(&DevOptions::default())?;
        let root = broker.root();
        let scene = Scene {
            broker,
            target,
            root,
        };
        scene
            .root
            .post("sys/mounts/db", json!({ "type": "database" }))?
            .expect(204)?;
        scene.configure("pg", &scene.target)?.expect(204)?;
        scene.role("app", json!([LOGIN]))?;
        Ok(scene)
    }

    fn configure(&self, name: &str, target: &Cluster) -> Result<Answer> {
        self.root.put(
            &format!("db/config/{name}"),
            json!({
                "plugin_name": "postgresql-database-plugin",
                "allowed_roles": "*",
                "connection_url": url(target),
                "username": ADMIN.0,
                "password": ADMIN.1,
            }),
        )
    }

    fn role(&self, name: &str, statements: Value) -> Result<()> {
        let role =
            json!({ "db_name": "pg", "creation_statements": statements, "default_ttl": "1h" });
        self.root
            .put(&format!("db/roles/{name}"), role)?
            .expect(204)
            .map(drop)
    }

    /// A credential: lease id and login.
    fn issue(&self, role: &str) -> Result<(String, String)> {
        let answer = self.root.get(&format!("db/creds/{role}"))?.expect(200)?;
        Ok((
            answer.text_at("/lease_id")?,
            answer.text_at("/data/username")?,
        ))
    }

    fn lookup(&self, lease_id: &str) -> Result<Answer> {
        self.root
            .put("sys/leases/lookup", json!({ "lease_id": lease_id }))
    }

    /// Logins of leases on the target.
    fn logins(&self) -> Result<usize> {
        let count = self
            .target
            .psql("select count(*) from pg_roles where rolname like 'v-%'")?;
        Ok(count.parse()?)
    }

    fn rows(&self, statement: &str) -> Result<String> {
        self.broker.psql_store(statement)
    }

    /// Nothing of leases is left, neither there nor here.
    fn until_nothing_is_left(&self) -> Result<()> {
        wait_until(
            PATIENCE,
            "target and store have forgotten the leases",
            || {
                Ok(self.logins()? == 0
                    && self.rows("select count(*) from leasehold_broker.leases")? == "0"
                    && self.rows("select count(*) from leasehold_broker.outbox")? == "0")
            },
        )
    }
}

fn url(target: &Cluster) -> String {
    target.url("{{username}}", "{{password}}", "postgres")
}

#[test]
fn what_is_ended_while_the_target_is_away_ends_when_it_is_back() -> Result<()> {
    let scene = Scene::start()?;
    let (one, _) = scene.issue("app")?;
    let (two, _) = scene.issue("app")?;
    let holder = scene.broker.holder(
        "reader",
        "path \"db/creds/*\" { capabilities = [\"read\"] }",
    )?;
    let of_token = holder
        .get("db/creds/app")?
        .expect(200)?
        .text_at("/lease_id")?;
    scene.target.stop(Stop::Immediate)?;
    // A connection idle for a second is probed before use: a credential asked for now was never sent to anybody.
    std::thread::sleep(Duration::from_millis(1_200));

    let began = Instant::now();
    // Nothing is in doubt for whoever asks now: the refusal does not take its time.
    scene.root.get("db/creds/app")?.expect(500)?;
    let revoke = json!({ "lease_id": one, "sync": true });
    scene.root.put("sys/leases/revoke", revoke)?.expect(202)?;
    let told = Command::new(built::binary()?)
        .args(["lease", "revoke", "-sync", &two])
        .env("VAULT_ADDR", format!("http://{}", scene.broker.address()))
        .env("VAULT_TOKEN", scene.root.token().unwrap_or_default())
        .output()?;
    let why = String::from_utf8_lossy(&told.stderr);
    ensure!(
        told.status.code() == Some(2) && why.contains("accepted, but not done"),
        "whoever asked to wait is told {told:?}"
    );
    let shown = scene.lookup(&one)?.expect(200)?;
    assert_eq!(
        (shown.at("/data/ttl")?, shown.at("/data/renewable")?),
        (&json!(0), &json!(false))
    );
    scene
        .root
        .put("sys/leases/revoke-prefix/db/creds", json!({}))?
        .expect(202)?;
    scene
        .root
        .post("auth/token/revoke", json!({ "token": holder.token() }))?
        .expect(204)?;
    scene.lookup(&of_token)?.expect(400)?;
    scene.root.delete("sys/mounts/db")?.expect(204)?;
    assert!(began.elapsed() < PATIENCE, "took {:?}", began.elapsed());

    scene.lookup(&two)?.expect(400)?;
    scene
        .root
        .send("LIST", "sys/leases/lookup/db", None)?
        .expect(404)?;
    assert_eq!(
        scene.rows("select count(*) from leasehold_broker.leases")?,
        "3"
    );
    scene.target.start_again()?;
    scene.until_nothing_is_left()?;
    assert_eq!(scene.target.violations()?, Vec::<String>::new());
    Ok(())
}

#[test]
fn leases_end_although_their_connection_was_deleted() -> Result<()> {
    let scene = Scene::start()?;
    let (lease, _) = scene.issue("app")?;
    scene.issue("app")?;
    scene.root.delete("db/config/pg")?.expect(204)?;
    scene.root.get("db/config/pg")?.expect(404)?;
    scene
        .root
        .put("sys/leases/revoke", json!({ "lease_id": lease }))?
        .expect(204)?;
    assert_eq!(scene.logins()?, 1);
    scene.root.delete("sys/mounts/db")?.expect(204)?;
    scene.until_nothing_is_left()
}

#[test]
fn leases_end_where_they_live_although_their_connection_leads_elsewhere() -> Result<()> {
    let scene = Scene::start()?;
    let (old, _) = scene.issue("app")?;
    let other = Cluster::start(Options::default())?;
    other.psql(&format!(
        "create role {} superuser login password '{}'",
        ADMIN.0, ADMIN.1
    ))?;
    scene.configure("pg", &other)?.expect(204)?;
    let (new, login) = scene.issue("app")?;
    assert_eq!(
        other.psql(&format!(
            "select count(*) from pg_roles where rolname = '{login}'"
        ))?,
        "1"
    );
    scene
        .root
        .put(
            "sys/leases/renew",
            json!({ "lease_id": old, "increment": 60 }),
        )?
        .expect(200)?;
    for lease in [old, new] {
        scene
            .root
            .put("sys/leases/revoke", json!({ "lease_id": lease }))?
            .expect(204)?;
    }
    assert_eq!(
        other.psql("select count(*) from pg_roles where rolname like 'v-%'")?,
        "0"
    );
    scene.until_nothing_is_left()
}

#[test]
fn what_happens_in_sql_shows_over_http() -> Result<()> {
    let scene = Scene::start()?;
    let (renewed, _) = scene.issue("app")?;
    let (ended, _) = scene.issue("app")?;
    scene
        .target
        .psql(&format!("select leasehold.renew('{renewed}', '2 min')"))?;
    scene
        .target
        .psql(&format!("select leasehold.revoke('{ended}')"))?;
    wait_until(Duration::from_secs(3), "both show", || {
        let ttl = scene.lookup(&renewed)?.at("/data/ttl")?.as_i64();
        Ok(ttl.is_some_and(|ttl| ttl <= 120) && scene.lookup(&ended)?.status == 400)
    })
}

#[test]
fn a_credential_nobody_waits_for_ends_at_once() -> Result<()> {
    let scene = Scene::start()?;
    scene.role(
        "slow",
        json!([LOGIN, "DO $$ BEGIN PERFORM pg_sleep(1.5); END $$"]),
    )?;
    let client = Asking::get(scene.broker.address(), &scene.root, "db/creds/slow")?;
    wait_until(PATIENCE, "the intent stands", || {
        Ok(scene.rows("select count(*) from leasehold_broker.leases")? == "1")
    })?;
    client.leave()?;
    scene.until_nothing_is_left()
}

#[test]
fn nothing_is_left_of_a_token_that_ends_while_it_asks() -> Result<()> {
    let scene = Scene::start()?;
    for _ in 0..5 {
        let holder = scene.broker.holder(
            "reader",
            "path \"db/creds/*\" { capabilities = [\"read\"] }",
        )?;
        let answers = std::thread::scope(|scope| -> Result<Vec<u16>> {
            let asking: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| -> Result<u16> {
                        loop {
                            let status = holder.get("db/creds/app")?.status;
                            if status != 200 {
                                return Ok(status);
                            }
                        }
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_millis(150));
            let token = json!({ "token": holder.token() });
            scene.root.post("auth/token/revoke", token)?.expect(204)?;
            asking
                .into_iter()
                .map(|asked| asked.join().expect("a thread that asks"))
                .collect()
        })?;
        assert!(answers.iter().all(|status| *status == 403), "{answers:?}");
    }
    scene.until_nothing_is_left()
}

#[test]
fn a_configuration_says_what_its_target_lacks() -> Result<()> {
    let scene = Scene::start()?;
    let write = |name: &str, target: &Cluster, user: &str, password: &str| {
        scene.root.put(
            &format!("db/config/{name}"),
            json!({ "plugin_name": "postgresql-database-plugin", "allowed_roles": "*",
                    "connection_url": url(target), "username": user, "password": password }),
        )
    };
    let says = |answer: Answer, text: &str| -> Result<()> {
        let error = answer.expect(400)?.text_at("/errors/0")?;
        ensure!(error.contains(text), "{error:?} does not say {text:?}");
        Ok(())
    };
    scene
        .target
        .psql("create role plain login password 'plain-password'")?;
    says(
        write("x", &scene.target, "plain", "plain-password")?,
        "GRANT leasehold_issuer",
    )?;
    let wrong = write("x", &scene.target, "plain", "not-the-password")?;
    assert!(!wrong.text.contains("not-the-password"));
    says(wrong, "password authentication failed")?;
    let bare = Cluster::start(Options {
        preload: Vec::new(),
        extension: false,
        ..Options::default()
    })?;
    bare.psql(&format!(
        "create role {} superuser login password '{}'",
        ADMIN.0, ADMIN.1
    ))?;
    says(
        write("x", &bare, ADMIN.0, ADMIN.1)?,
        "CREATE EXTENSION leasehold",
    )?;
    scene.root.get("db/config/x")?.expect(404)?;

    // Nobody would end the logins: said when it is written, and again when a credential is asked for.
    let idle = Cluster::start(Options::default().without_preload())?;
    idle.psql(&format!(
        "create role {} superuser login password '{}'",
        ADMIN.0, ADMIN.1
    ))?;
    says(
        write("idle", &idle, ADMIN.0, ADMIN.1)?,
        "shared_preload_libraries",
    )?;
    let unverified = json!({ "plugin_name": "postgresql-database-plugin", "allowed_roles": "*", "verify_connection": false,
                             "connection_url": url(&idle), "username": ADMIN.0, "password": ADMIN.1 });
    scene.root.put("db/config/idle", unverified)?.expect(204)?;
    let role = json!({ "db_name": "idle", "creation_statements": LOGIN });
    scene.root.put("db/roles/idle", role)?.expect(204)?;
    scene.root.get("db/creds/idle")?.expect(503)?;

    // Membership is enough to issue; to define, the other group; to hand out a group, an offer.
    scene
        .target
        .psql("grant leasehold_issuer to plain; create role readers nologin")?;
    write("x", &scene.target, "plain", "plain-password")?.expect(204)?;
    let role = json!({ "db_name": "x", "creation_statements": format!("{LOGIN} IN ROLE readers") });
    scene.root.put("db/roles/member", role)?.expect(204)?;
    says(scene.root.get("db/creds/member")?, "leasehold_definer")?;
    scene.target.psql("grant leasehold_definer to plain")?;
    says(
        scene.root.get("db/creds/member")?,
        "leasehold.offer('readers', 'plain')",
    )?;
    scene
        .target
        .psql("select leasehold.offer('readers', 'plain')")?;
    scene.root.get("db/creds/member")?.expect(200)?;
    scene.root.delete("sys/mounts/db")?.expect(204)?;
    scene.until_nothing_is_left()
}

#[test]
fn one_session_on_a_target_serves_many_at_once() -> Result<()> {
    let scene = Scene::start()?;
    scene
        .root
        .put("db/config/pg", json!({ "max_open_connections": 1 }))?
        .expect(204)?;
    // A recipe of statements: each of its issues is a call of its own, and only so many of these ask for a session at once. All of
    // those who revoke do.
    std::thread::scope(|threads| {
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let root = scene.root.clone();
                threads.spawn(move || -> Result<()> {
                    for _ in 0..15 {
                        let answer = root.get("db/creds/app")?.expect(200)?;
                        let lease_id = answer.text_at("/lease_id")?;
                        let end = json!({ "lease_id": lease_id, "sync": true });
                        root.put("sys/leases/revoke", end)?.expect(204)?;
                    }
                    Ok(())
                })
            })
            .collect();
        for client in clients {
            client.join().expect("a client does not panic")?;
        }
        Ok(())
    })
}
