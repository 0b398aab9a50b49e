//! The guide by the command line, as people type it: root makes an admin, the admin sets everything up,
//! an app gets credentials that work until their lease ends, and nobody gets anything.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Broker, DevOptions, built, run_with_input, wait_until};
use serde_json::Value;

const CREDS: &str = "database/creds/readonly";

/// Somebody at a terminal: a home of their own, and the address in the environment.
struct Person {
    program: PathBuf,
    home: PathBuf,
    address: String,
    token: Option<String>,
}

/// What a command printed.
#[derive(Debug)]
struct Printed {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Person {
    fn new(broker: &Broker, name: &str, token: Option<&str>) -> Result<Person> {
        let home =
            std::env::temp_dir().join(format!("leasehold-guide-{}-{name}", std::process::id()));
        fs::create_dir_all(&home)?;
        for file in ["admin.hcl", "apps.hcl", "readonly.sql"] {
            fs::copy(built::top().join("tests/guide").join(file), home.join(file))?;
        }
        let address = format!("http://{}", broker.address());
        Ok(Person {
            program: built::binary()?,
            home,
            address,
            token: token.map(str::to_owned),
        })
    }

    fn run(&self, arguments: &[&str], stdin: &str) -> Result<Printed> {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(&self.home)
            .env_clear()
            .env("HOME", &self.home);
        command.env("VAULT_ADDR", &self.address);
        if let Some(token) = &self.token {
            command.env("VAULT_TOKEN", token);
        }
        let output = run_with_input(&mut command, stdin.as_bytes())?;
        Ok(Printed {
            code: output.status.code(),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        })
    }

    /// Runs what must succeed; returns what it printed.
    fn does(&self, line: &str) -> Result<String> {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let printed = self.run(&arguments, "")?;
        ensure!(printed.code == Some(0), "{line}: {printed:?}");
        Ok(printed.out)
    }

    /// Runs what must fail with this exit code; returns what it complained of.
    fn fails(&self, line: &str, code: i32) -> Result<String> {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let printed = self.run(&arguments, "")?;
        ensure!(printed.code == Some(code), "{line}: {printed:?}");
        Ok(printed.err)
    }

    fn json(&self, line: &str) -> Result<Value> {
        let (verb, rest) = line.split_once(' ').context("a verb and more")?;
        let out = self.does(&format!("{verb} -format=json {rest}"))?;
        serde_json::from_str(&out).with_context(|| format!("{line}: {out}"))
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.home);
    }
}

#[test]
fn the_guide_as_people_type_it() -> Result<()> {
    let broker = Broker::dev(&DevOptions::default())?;
    broker.psql("create table items (id int); insert into items values (1)")?;
    let root = Person::new(&broker, "root", broker.root().token())?;

    // Root makes an admin, who logs in: the token is kept in the home folder.
    root.does("policy write admin admin.hcl")?;
    let token = root.does("token create -policy=admin -field=token")?;
    let admin = Person::new(&broker, "admin", None)?;
    let printed = admin.run(&["login", "-"], &format!("{token}\n"))?;
    ensure!(
        printed
            .out
            .starts_with("Success! You are now authenticated."),
        "{printed:?}"
    );
    assert_eq!(admin.does("print token")?, format!("{token}\n"));
    assert!(admin.does("status")?.contains("Sealed          false"));

    // The admin mounts, connects, defines.
    let enabled = admin.does("secrets enable database")?;
    assert_eq!(
        enabled,
        "Success! Enabled the database secrets engine at: database/\n"
    );
    let again = admin.fails("secrets enable database", 2)?;
    assert!(
        again.contains("* path is already in use at database/"),
        "{again}"
    );
    let (url, user) = (broker.connection_url(), broker.postgres("user"));
    let url = format!("connection_url={url}");
    let user = format!("username={user}");
    let config = [
        "write",
        "database/config/postgresql",
        "plugin_name=postgresql-database-plugin",
        &url,
        "allowed_roles=readonly",
        &user,
        "password=-",
    ];
    let wrong = admin.run(&config, "wrong")?;
    ensure!(
        wrong.code == Some(2) && !wrong.err.contains("wrong"),
        "{wrong:?}"
    );
    let written = admin.run(&config, &broker.postgres("password"))?;
    ensure!(
        written.out == "Success! Data written to: database/config/postgresql\n",
        "{written:?}"
    );
    let shown = admin.does("read database/config/postgresql")?;
    assert!(!shown.contains(&broker.postgres("password")), "{shown}");
    admin.does(
        "write database/roles/readonly db_name=postgresql creation_statements=@readonly.sql \
         default_ttl=1h max_ttl=24h",
    )?;
    assert_eq!(admin.does("list database/roles")?, "Keys\n----\nreadonly\n");
    admin.does("policy write apps apps.hcl")?;

    // The app gets two logins that differ, work, and can not write.
    let token = admin.does("token create -policy=apps -field=token")?;
    let app = Person::new(&broker, "app", Some(&token))?;
    let (first, second) = (
        app.json(&format!("read {CREDS}"))?,
        app.json(&format!("read {CREDS}"))?,
    );
    assert_ne!(first["data"]["username"], second["data"]["username"]);
    let text = |of: &Value, pointer: &str| {
        of.pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .context(pointer.to_owned())
    };
    let login = (
        text(&first, "/data/username")?,
        text(&first, "/data/password")?,
    );
    assert_eq!(
        broker.psql_as(&login.0, &login.1, "select id from items")?,
        "1"
    );
    assert!(
        broker
            .psql_as(&login.0, &login.1, "insert into items values (2)")
            .is_err()
    );
    let denied = app.fails("read database/creds/other", 2)?;
    assert!(
        denied.contains("Code: 403. Errors:\n\n* permission denied"),
        "{denied}"
    );

    // Nobody gets nothing, and is told why.
    let nobody = Person::new(&broker, "nobody", None)?;
    for line in [
        &format!("read {CREDS}"),
        "secrets list",
        "token lookup",
        "list database/roles",
    ] {
        let denied = nobody.fails(line, 2)?;
        assert!(denied.contains("No token was sent"), "{line}: {denied}");
    }

    // The admin sees the leases, renews one, ends one, then all.
    let listed = admin.json(&format!("list sys/leases/lookup/{CREDS}"))?;
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    let lease = text(&first, "/lease_id")?;
    root.does(&format!("lease lookup {lease}"))?;
    assert!(
        admin
            .does(&format!("lease renew -increment=2h {lease}"))?
            .contains("lease_duration     2h")
    );
    let revoked = root.does(&format!("lease revoke -sync {lease}"))?;
    assert_eq!(revoked, format!("Success! Revoked lease: {lease}\n"));
    assert!(broker.psql_as(&login.0, &login.1, "select 1").is_err());
    admin.does(&format!("lease revoke -prefix {CREDS}"))?;
    wait_until(Duration::from_secs(10), "no lease is left", || {
        let printed = admin.run(&["list", &format!("sys/leases/lookup/{CREDS}")], "")?;
        Ok(printed.code == Some(2))
    })?;

    // A lease cut short ends by itself.
    let creds = app.json(&format!("read {CREDS}"))?;
    let login = (
        text(&creds, "/data/username")?,
        text(&creds, "/data/password")?,
    );
    assert_eq!(
        broker.psql_as(&login.0, &login.1, "select id from items")?,
        "1"
    );
    admin.does(&format!(
        "lease renew -increment=1 {}",
        text(&creds, "/lease_id")?
    ))?;
    wait_until(Duration::from_secs(10), "the login is gone", || {
        let count = format!(
            "select count(*) from pg_roles where rolname = '{}'",
            login.0
        );
        Ok(broker.psql(&count)? == "0")
    })?;

    // The app's token ends, and with it what it can do.
    app.does("token revoke -self")?;
    app.fails(&format!("read {CREDS}"), 2)?;
    Ok(())
}
