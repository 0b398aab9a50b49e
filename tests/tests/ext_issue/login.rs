//! The login of a new lease: its name, its password, what it can do, and where its secret never is.

use anyhow::Result;
use leasehold_tests::{Options, sqlstate, wait_until};
use std::time::Duration;

use super::{LOGINS, PENCIL, prepared};

#[tokio::test]
async fn a_login_works_and_can_do_what_its_recipe_says() -> Result<()> {
    let cluster = prepared(Options::default())?;
    let row = cluster.psql("select login, password, ttl_seconds, max_ttl_seconds, expires_at - issued_at from leasehold.issue('r', ttl => '10 minutes')")?;
    let columns: Vec<&str> = row.split('|').collect();
    assert_eq!(columns[2..], ["600", "86400", "00:10:00"]);
    let mut session = cluster.log_in(columns[0], columns[1]).await?;
    let n: i32 = sqlx::query_scalar("select n from secret")
        .fetch_one(&mut session)
        .await?;
    assert_eq!(n, 42);
    assert!(
        sqlx::query("insert into secret values (1)")
            .execute(&mut session)
            .await
            .is_err()
    );
    assert!(cluster.log_in(columns[0], "wrong").await.is_err());

    // VALID UNTIL is the lease's own end to the microsecond, and the verifier has the server's own number of rounds.
    let facts = cluster.psql(
        "select a.rolvaliduntil = l.expires_at, split_part(split_part(a.rolpassword, '$', 2), ':', 1), l.sessions,
                s.label = i.installation || '/' || l.lease_number, l.role, l.state, l.issued_by, l.scope
           from leasehold.leases l join pg_authid a on a.oid = l.login_oid
           join pg_shseclabel s on s.objoid = a.oid, leasehold.installation() i",
    )?;
    assert_eq!(facts, "t|4096|1|t|r|active|postgres|sql");
    assert_eq!(
        cluster.psql("select login = '' from leasehold.sessions")?,
        "f"
    );
    Ok(())
}

#[tokio::test]
async fn a_verifier_that_was_brought_is_the_one_that_counts() -> Result<()> {
    let cluster = prepared(Options::default())?;
    let issue = format!(
        "select login, password is null from leasehold.issue('r', verifier => '{PENCIL}', login => 'me')"
    );
    assert_eq!(cluster.psql(&issue)?, "me|t");
    cluster.log_in("me", "pencil").await?;
    assert_eq!(
        cluster.psql("select rolpassword from pg_authid where rolname = 'me'")?,
        PENCIL
    );
    for wrong in [
        "pencil",
        "md5c4ca4238a0b923820dcc509a6f75849b",
        &PENCIL.replace("4096", "1"),
    ] {
        let issue = format!("select leasehold.issue('r', verifier => '{wrong}')");
        assert_eq!(sqlstate(cluster.psql(&issue)), "22023", "{wrong}");
    }
    Ok(())
}

#[test]
fn the_name_of_a_login_is_only_a_name() -> Result<()> {
    let cluster = prepared(Options::default())?;
    let issue = |login: &str| {
        cluster.psql(&format!(
            "select login = $x${login}$x$ from leasehold.issue('r', login => $x${login}$x$)"
        ))
    };
    for login in [
        "x\" superuser; drop role postgres; --",
        "'; drop role postgres; --",
        "{{name}}",
        "%s %I $1 \\",
        "ein Name mit Ümläuten",
        &"n".repeat(63),
    ] {
        assert_eq!(issue(login)?, "t", "{login}");
        let facts = cluster.psql(&format!(
            "select rolsuper, rolcreaterole, pg_has_role(oid, 'readers', 'member') from pg_roles where rolname = $x${login}$x$"
        ))?;
        assert_eq!(facts, "f|f|t", "{login}");
        assert_eq!(sqlstate(issue(login)), "LH004", "{login} is taken");
    }
    for login in [
        "",
        "pg_new",
        "public",
        "none",
        "postgres",
        "readers",
        "two\nlines",
        &"n".repeat(64),
        &"ü".repeat(32),
    ] {
        assert_eq!(sqlstate(issue(login)), "LH004", "{login}");
    }
    // The same names through a recipe by statements.
    cluster.psql("select leasehold.define_role('text', creation_statements => array[
        $t$create role \"{{name}}\" with login password '{{password}}' valid until '{{expiration}}'; grant select on secret to \"{{name}}\"$t$])")?;
    for login in [
        "y\" superuser; drop role postgres; --",
        "y'; drop role postgres; --",
    ] {
        let issue = format!(
            "select login = $x${login}$x$ from leasehold.issue('text', login => $x${login}$x$)"
        );
        assert_eq!(cluster.psql(&issue)?, "t", "{login}");
        let facts = cluster.psql(&format!(
            "select rolsuper, has_table_privilege(oid, 'secret', 'select') from pg_roles where rolname = $x${login}$x$"
        ))?;
        assert_eq!(facts, "f|t", "{login}");
    }
    Ok(())
}

#[tokio::test]
async fn without_preload_only_psql_may_issue() -> Result<()> {
    let cluster = prepared(Options::default().without_preload())?;
    cluster.psql(
        "select leasehold.register_scope('store', 'a key that nobody guesses');
         select leasehold.define_role('r', '{readers}', scope => 'store')",
    )?;
    assert_eq!(
        sqlstate(cluster.psql("select leasehold.issue('r', scope => 'store')")),
        "LH003"
    );
    let row =
        cluster.psql("select login, password from leasehold.issue('r', ttl => '1 second')")?;
    let (login, password) = row.split_once('|').expect("two columns");
    cluster.log_in(login, password).await?;
    assert!(
        cluster
            .log()?
            .contains("WARNING:  nobody enforces leases in this database")
    );
    // With nobody at work, VALID UNTIL still ends it on time, and anyone entitled may sweep.
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    assert!(cluster.log_in(login, password).await.is_err());
    wait_until(Duration::from_secs(3), "sweeping by hand drops it", || {
        cluster.psql("select leasehold.sweep()")?;
        Ok(cluster.psql(LOGINS)? == "0")
    })?;
    Ok(())
}

#[tokio::test]
async fn no_password_in_any_log_view_or_table() -> Result<()> {
    let mut options = Options::default()
        .set("log_statement", "all")
        .set("log_min_duration_statement", "0")
        .set("log_min_messages", "debug1")
        .set("pg_stat_statements.track", "all");
    options.preload.push("pg_stat_statements".to_owned());
    let cluster = prepared(options)?;
    cluster.psql(
        "create extension pg_stat_statements;
         select leasehold.define_role('text', creation_statements => array[
            $t$create role \"{{name}}\" login password '{{password}}'; grant select on secret to \"{{name}}\"$t$])",
    )?;
    let mut secrets = Vec::new();
    for role in ["r", "text"] {
        let row = cluster.psql(&format!(
            "select login, password from leasehold.issue('{role}')"
        ))?;
        let (login, password) = row.split_once('|').expect("two columns");
        cluster.log_in(login, password).await?;
        secrets.push(password.to_owned());
    }
    // Errors on the way must not show one either.
    assert_eq!(
        sqlstate(cluster.psql("select leasehold.issue('r', login => 'readers')")),
        "LH004"
    );
    let log = cluster.log()?;
    let dump = cluster.psql("select query from pg_stat_statements")?;
    let tables = cluster.psql("select table_to_xml(oid, true, false, '') from pg_class where relnamespace = 'leasehold'::regnamespace and relkind = 'r'")?;
    for secret in &secrets {
        for (place, text) in [
            ("log", &log),
            ("pg_stat_statements", &dump),
            ("tables", &tables),
        ] {
            assert!(
                !text.contains(secret.as_str()),
                "a password is in the {place}"
            );
        }
    }
    // Nor a verifier that the server made or placed by itself.
    let stored = cluster.psql("select rolpassword from pg_authid where rolname like 'lh\\_%'")?;
    assert_eq!(stored.lines().count(), 2);
    for verifier in stored.lines() {
        for (place, text) in [("pg_stat_statements", &dump), ("tables", &tables)] {
            assert!(!text.contains(verifier), "a verifier is in the {place}");
        }
    }
    Ok(())
}
