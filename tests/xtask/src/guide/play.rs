//! The guide, act by act.

use anyhow::{Context, Result, ensure};
use std::io::Write;
use std::time::{Duration, Instant};

use super::actor::Actor;
use super::answer::Answer;
use super::stage::Stage;
use crate::step;

/// All of it.
pub(super) fn all(stage: &Stage) -> Result<()> {
    let root = stage.root();
    let dba = stage.dba();

    step::begin("0. a table worth reading, and an admin who is not root");
    root.types("leasehold status")?.shows(&["Sealed"])?;
    dba.types(
        "psql -c \"create table orders (id int primary key, what text); insert into orders values (1, 'tea'), (2, 'milk')\"",
    )?
    .shows(&[])?;
    root.types("cat admin.hcl; leasehold policy write admin admin.hcl")?
        .shows(&["Success"])?;
    let admin = root
        .types("leasehold token create -policy=admin")?
        .shows(&["admin"])?;
    let admin = stage.holder("admin", &admin.value("token")?);

    step::begin("1. the admin enables the engine and defines a role");
    define(stage, &admin, "database", "secrets enable database")?;

    step::begin("2. the admin makes a token for the application");
    admin
        .types("cat apps.hcl; leasehold policy write apps apps.hcl")?
        .shows(&["Success"])?;
    let apps = admin
        .types("leasehold token create -policy=apps")?
        .shows(&["apps"])?;
    let app = stage.holder("app", &apps.value("token")?);

    step::begin("3. the application asks for credentials, twice");
    let first = read(&app, "database")?;
    let second = read(&app, "database")?;
    ensure!(
        first.username != second.username && first.password != second.password,
        "two reads give two logins"
    );
    app.types("leasehold read database/roles/readonly")?
        .refuses("permission denied")?;

    step::begin("4. what the database says");
    dba.types("psql -c '\\du'")?.shows(&[
        &first.username,
        &second.username,
        "Password valid until",
    ])?;
    dba.types("psql -c 'select role, login, state, expires_at, sessions from leasehold.leases'")?
        .shows(&[&first.username, &second.username, "active"])?;
    let login = first.at(stage);
    login
        .types("psql -c 'select * from orders'")?
        .shows(&["tea", "milk"])?;
    login
        .types("psql -c \"insert into orders values (3, 'sugar')\"")?
        .refuses("permission denied for table orders")?;

    step::begin("5. list, look up, renew, revoke");
    let below = |lease: &str| lease.rsplit('/').next().unwrap_or_default().to_owned();
    admin
        .types("leasehold list sys/leases/lookup/database/creds/readonly")?
        .shows(&[&below(&first.lease), &below(&second.lease)])?;
    root.types(&format!("leasehold lease lookup {}", first.lease))?
        .shows(&[&first.lease])?;
    let renewed = admin
        .types(&format!(
            "leasehold lease renew -increment=2h {}",
            first.lease
        ))?
        .shows(&[])?;
    ensure!(
        renewed.seconds("lease_duration")? == 7200,
        "renewed for two hours"
    );
    let capped = admin
        .types(&format!(
            "leasehold lease renew -increment=48h {}",
            first.lease
        ))?
        .shows(&[])?;
    ensure!(
        capped.seconds("lease_duration")? <= 86_400,
        "never past the role's maximum"
    );
    admin
        .types(&format!("leasehold lease revoke -sync {}", first.lease))?
        .shows(&[])?;
    refused(&first, stage)?;
    second
        .at(stage)
        .types("psql -c 'select count(*) from orders'")?
        .shows(&["2"])?;

    step::begin("6. revoke by prefix");
    let third = read(&app, "database")?;
    admin
        .types("leasehold lease revoke -sync -prefix database/creds/readonly")?
        .shows(&[])?;
    refused(&second, stage)?;
    refused(&third, stage)?;

    step::begin("7. a lease ends by itself, and its open session with it");
    ends_by_itself(stage, &admin, &app, &dba)?;

    step::begin("8. the same at a path of one's own");
    root.types("leasehold policy write admin-db-prod admin-db-prod.hcl")?
        .shows(&["Success"])?;
    let prod = root
        .types("leasehold token create -policy=admin-db-prod")?
        .shows(&["admin-db-prod"])?;
    let prod = stage.holder("admin", &prod.value("token")?);
    define(
        stage,
        &prod,
        "db-prod",
        "secrets enable -path=db-prod database",
    )?;
    let fourth = read(&prod, "db-prod")?;
    fourth
        .at(stage)
        .types("psql -c 'select * from orders'")?
        .shows(&["tea"])?;
    prod.types("leasehold secrets disable db-prod")?
        .shows(&["Success"])?;
    refused(&fourth, stage)?;

    step::begin("9. the same from psql alone");
    by_sql(&dba)?;

    step::begin("10. nothing is left");
    admin
        .types("leasehold secrets disable database")?
        .shows(&["Success"])?;
    dba.types("psql -Atc 'select count(*) from leasehold.check()'")?
        .shows(&["0"])?;
    wait_until("every login is gone", || {
        let left = quietly(
            &dba,
            "select count(*) from leasehold.leases where state <> 'gone'",
        )?;
        Ok(left == "0")
    })
}

/// Enables, configures, defines the role; `mount` without its slash.
fn define(stage: &Stage, admin: &Actor, mount: &str, enable: &str) -> Result<()> {
    admin
        .types(&format!("leasehold {enable}"))?
        .shows(&["Success"])?;
    let (port, user, password) = (
        &stage.postgres_port,
        &stage.postgres_user,
        &stage.postgres_password,
    );
    admin
        .types(&format!(
            "leasehold write {mount}/config/postgresql plugin_name=postgresql-database-plugin allowed_roles=readonly \
             connection_url='postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{port}/postgres' \
             username={user} password={password}"
        ))?
        .shows(&[])?;
    let shown = admin
        .types(&format!("leasehold read {mount}/config/postgresql"))?
        .shows(&["postgresql-database-plugin"])?;
    ensure!(
        !shown.text.contains(password.as_str()),
        "the password is not shown again"
    );
    admin
        .types(&format!(
            "cat readonly.sql; leasehold write {mount}/roles/readonly db_name=postgresql \
             creation_statements=@readonly.sql default_ttl=1h max_ttl=24h"
        ))?
        .shows(&["Success"])?;
    admin
        .types(&format!("leasehold list {mount}/roles"))?
        .shows(&["readonly"])?;
    Ok(())
}

/// What a read of credentials gave.
struct Credentials {
    lease: String,
    username: String,
    password: String,
}

impl Credentials {
    /// Whoever uses them.
    fn at(&self, stage: &Stage) -> Actor {
        stage.login("app", &self.username, &self.password)
    }
}

fn read(app: &Actor, mount: &str) -> Result<Credentials> {
    let answer: Answer = app
        .types(&format!("leasehold read {mount}/creds/readonly"))?
        .shows(&["lease_duration"])?;
    Ok(Credentials {
        lease: answer.value("lease_id")?,
        username: answer.value("username")?,
        password: answer.value("password")?,
    })
}

fn refused(ended: &Credentials, stage: &Stage) -> Result<()> {
    ended
        .at(stage)
        .types("psql -c 'select 1'")?
        .refuses("authentication failed")?;
    Ok(())
}

fn ends_by_itself(stage: &Stage, admin: &Actor, app: &Actor, dba: &Actor) -> Result<()> {
    let last = read(app, "database")?;
    let mut session = last
        .at(stage)
        .leaves_running("psql -c 'select pg_sleep(60)'")?;
    wait_until("the session is open", || {
        let open = format!(
            "select count(*) from pg_stat_activity where usename = '{}'",
            last.username
        );
        Ok(quietly(dba, &open)? == "1")
    })?;
    dba.types("psql -c 'select login, state, sessions, expires_at from leasehold.leases'")?
        .shows(&[&last.username])?;
    admin
        .types(&format!(
            "leasehold lease renew -increment=3 {}",
            last.lease
        ))?
        .shows(&[])?;
    let begin = Instant::now();
    print!("\n    waiting for its end");
    while session.try_wait()?.is_none() {
        ensure!(
            begin.elapsed() < Duration::from_secs(15),
            "the session outlives its lease"
        );
        print!(".");
        std::io::stdout().flush()?;
        std::thread::sleep(Duration::from_millis(250));
    }
    println!(
        " after {:.1} s the session is gone:",
        begin.elapsed().as_secs_f64()
    );
    let output = session.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    for line in said.lines() {
        println!("    {line}");
    }
    ensure!(
        !output.status.success(),
        "the session ended before its lease"
    );
    refused(&last, stage)?;
    wait_until("the login is dropped", || {
        let there = format!(
            "select count(*) from pg_roles where rolname = '{}'",
            last.username
        );
        Ok(quietly(dba, &there)? == "0")
    })?;
    dba.types(&format!("psql -c '\\du {}'", last.username))?
        .shows(&[])?;
    Ok(())
}

fn by_sql(dba: &Actor) -> Result<()> {
    dba.types(
        "psql -c 'create role readers nologin' -c 'grant select on orders to readers' \
         -c \"select leasehold.define_role('readonly', member_of => '{readers}', default_ttl => '1h', max_ttl => '24h')\"",
    )?
    .shows(&[])?;
    let issued = dba
        .types("psql -x -c \"select * from leasehold.issue('readonly', ttl => '1h')\"")?
        .shows(&["password"])?;
    let value = |key: &str| {
        issued
            .value(key)
            .map(|v| v.trim_start_matches(['|', ' ']).to_owned())
    };
    let (lease, login) = (value("lease_id")?, value("login")?);
    dba.types("psql -c \"select role, login, state, time_left, sessions from leasehold.leases\"")?
        .shows(&[&login])?;
    dba.types(&format!("psql -c \"select leasehold.revoke('{lease}')\""))?
        .shows(&[])?;
    dba.types(&format!(
        "psql -c \"select * from leasehold.await_ended('{{{lease}}}')\""
    ))?
    .shows(&[&lease])?;
    Ok(())
}

/// One value, asked by the guide itself: not shown.
fn quietly(dba: &Actor, query: &str) -> Result<String> {
    let child = dba.quiet(&format!("psql -Atc \"{query}\""))?;
    Ok(String::from_utf8(child)?.trim().to_owned())
}

fn wait_until(what: &str, mut ready: impl FnMut() -> Result<bool>) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let begin = Instant::now();
    while !ready().with_context(|| what.to_owned())? {
        ensure!(
            begin.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
