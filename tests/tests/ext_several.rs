//! Several installations on one cluster, and databases that are dropped, copied, renamed and restored under their leases.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Cluster, Options, refused, wait_until};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);

/// A cluster with the extension in database `postgres` and in those of `names`.
fn cluster(names: &[&str]) -> Result<Cluster> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql("create role readers; create role dba login createdb")?;
    for name in ["postgres"].iter().chain(names) {
        if *name != "postgres" {
            cluster.psql(&format!("create database \"{name}\" owner dba"))?;
            cluster.psql_in(name, "create extension leasehold")?;
        }
        cluster.psql_in(
            name,
            "select leasehold.define_role('reader', member_of => '{readers}')",
        )?;
        cluster.wait_enforced(name)?;
    }
    Ok(cluster)
}

/// The login of a new lease there.
fn issue(cluster: &Cluster, database: &str, ttl: &str) -> Result<String> {
    Ok(cluster.issue_in(database, "reader", ttl)?.login)
}

fn sweepers(cluster: &Cluster, database: &str) -> Result<String> {
    cluster.psql(&format!(
        "select pid from pg_stat_activity where backend_type = 'leasehold sweeper' and datname = '{database}'"
    ))
}

/// Lease numbers are the same in both, so only the installation in the mark tells their logins apart.
#[test]
fn two_installations_leave_each_other_alone() -> Result<()> {
    let cluster = cluster(&["second"])?;
    let here = issue(&cluster, "postgres", "1 hour")?;
    let there = issue(&cluster, "second", "1 hour")?;
    let short = issue(&cluster, "second", "1 second")?;
    let number = |login: &str| {
        cluster.psql(&format!(
            "select split_part(label, '/', 2) from pg_shseclabel where objoid = '\"{login}\"'::regrole"
        ))
    };
    assert_eq!(number(&here)?, number(&there)?);
    cluster.psql("select leasehold.revoke_prefix('')")?;
    for gone in [&here, &short] {
        wait_until(SOON, "the login is gone", || Ok(!cluster.has_role(gone)?))?;
    }
    ensure!(cluster.has_role(&there)?);
    assert_eq!(cluster.psql("select count(*) from leasehold.leases")?, "0");
    assert_eq!(
        cluster.psql_in("second", "select state from leasehold.leases")?,
        "active"
    );

    // One goes, and the other goes on; the group roles stay for it.
    cluster.psql("drop extension leasehold")?;
    cluster.psql_in("second", "select leasehold.revoke_prefix('')")?;
    wait_until(SOON, "the login is gone", || Ok(!cluster.has_role(&there)?))?;
    cluster.psql("create extension leasehold; select leasehold.define_role('reader')")?;
    issue(&cluster, "postgres", "1 second")?;
    Ok(())
}

/// Our worker is in there, and PostgreSQL drops, renames and copies no database that others are in; so it steps aside.
#[test]
fn a_database_is_dropped_renamed_and_copied_as_if_nobody_were_there() -> Result<()> {
    let cluster = cluster(&["app"])?;
    let login = issue(&cluster, "app", "1 hour")?;
    let run = |text: &str| -> Result<()> {
        let began = Instant::now();
        // Not a superuser: the owner.
        cluster.psql_as("dba", "template1", text)?;
        ensure!(began.elapsed() < SOON, "{text}: {:?}", began.elapsed());
        Ok(())
    };
    run("create database copy template app")?;
    cluster.wait_enforced("app")?;
    run("alter database app rename to app2")?;
    cluster.wait_enforced("app2")?;
    let short = issue(&cluster, "app2", "1 second")?;
    wait_until(SOON, "it ends leases again", || {
        Ok(!cluster.has_role(&short)?)
    })?;
    run("drop database copy")?;
    run("drop database app2")?;
    wait_until(SOON, "the login is fenced", || {
        Ok(cluster.psql(&format!(
            "select rolcanlogin from pg_roles where rolname = '{login}'"
        ))? == "f")
    })?;
    // With force, and somebody of the owner's in there.
    let forced = self::cluster(&["app"])?;
    let began = Instant::now();
    std::thread::scope(|scope| -> Result<()> {
        let sleeper = scope.spawn(|| forced.psql_as("dba", "app", "select pg_sleep(60)"));
        wait_until(SOON, "the session is there", || {
            Ok(forced.psql("select count(*) from pg_stat_activity where usename = 'dba'")? == "1")
        })?;
        forced.psql_as("dba", "template1", "drop database app with (force)")?;
        ensure!(sleeper.join().expect("no panic").is_err());
        Ok(())
    })?;
    ensure!(began.elapsed() < SOON, "{:?}", began.elapsed());
    Ok(())
}

/// A command that fails sends nobody away: neither one by somebody without the right, nor one that others stop.
#[tokio::test]
async fn workers_stay_where_a_command_can_not_succeed() -> Result<()> {
    let cluster = cluster(&["app"])?;
    cluster.psql("create role mallory login createdb")?;
    let before = sweepers(&cluster, "app")?;
    for (user, database, text) in [
        ("mallory", "template1", "drop database app"),
        ("mallory", "template1", "create database mine template app"),
        ("mallory", "template1", "alter database app rename to mine"),
        ("dba", "app", "drop database app"),
        ("dba", "template1", "begin; drop database app"),
    ] {
        ensure!(cluster.psql_as(user, database, text).is_err(), "{text}");
        assert_eq!(sweepers(&cluster, "app")?, before, "{text}");
    }
    let login = issue(&cluster, "app", "2 seconds")?;
    let _other = cluster.connect_to("app").await?;
    let refused = cluster.psql_as("dba", "template1", "drop database app");
    let refused = refused.expect_err("somebody is in there").to_string();
    ensure!(refused.contains("55006"), "{refused}");
    assert_eq!(sweepers(&cluster, "app")?, before);
    let late = cluster.psql_in(
        "app",
        &format!("select fenced_at - expires_at < interval '1 second' from leasehold.history where login = '{login}'"),
    )?;
    assert_eq!(late, "t");
    Ok(())
}

/// A dump of the one database carries its leases, but no login: on another cluster they have ended by the restore.
#[test]
fn a_database_restored_elsewhere_has_no_lease_that_lives() -> Result<()> {
    let original = cluster(&["app"])?;
    issue(&original, "app", "1 hour")?;
    issue(&original, "app", "1 hour")?;
    let dump = original.dump_and_create_database("app")?;

    let copy = Cluster::start(Options {
        extension: false,
        ..Options::default()
    })?;
    copy.psql("create role readers; create role dba; create role lh_bystander login")?;
    copy.psql(&dump).context("restoring")?;
    copy.wait_enforced("app")?;
    wait_until(SOON, "the leases are gone", || {
        Ok(copy.psql_in(
            "app",
            "select count(*) from leasehold.history where cause = 'restored'",
        )? == "2")
    })?;
    assert_eq!(
        copy.psql("select rolcanlogin from pg_roles where rolname = 'lh_bystander'")?,
        "t"
    );
    // The recipe's group is another role there, for all it knows.
    let refused = issue(&copy, "app", "1 second").expect_err("a namesake");
    ensure!(refused.to_string().contains("LH008"), "{refused:#}");
    copy.psql_in(
        "app",
        "select leasehold.define_role('reader', member_of => '{readers}')",
    )?;
    let login = issue(&copy, "app", "1 second")?;
    wait_until(SOON, "leases end there", || Ok(!copy.has_role(&login)?))?;
    // On the original nothing has changed.
    assert_eq!(
        original.psql_in(
            "app",
            "select count(*) from leasehold.leases where state = 'active'"
        )?,
        "2"
    );
    Ok(())
}

/// Restores a dump of `app` beside it, as `copy`.
fn restore_beside(cluster: &Cluster, dump: &str) -> Result<()> {
    let dump = dump
        .replace("DATABASE app ", "DATABASE copy ")
        .replace("\\connect app", "\\connect copy");
    cluster.psql(&dump).context("restoring").map(drop)
}

/// Two databases carry one label then, and the same leases of the same logins. The original goes on as if nothing had
/// happened; the copy makes and ends nothing, and both say so, until it has a label of its own.
#[tokio::test]
async fn a_copy_beside_its_original_does_nothing() -> Result<()> {
    let cluster = cluster(&["app"])?;
    let kept = cluster.issue_in("app", "reader", "1 hour")?;
    let renewed = cluster.issue_in("app", "reader", "5 seconds")?;
    let dump = cluster.dump_and_create_database("app")?;
    cluster.psql_in(
        "app",
        &format!("select leasehold.renew('{}', '1 hour')", renewed.id),
    )?;
    restore_beside(&cluster, &dump)?;
    for (database, other) in [("app", "copy"), ("copy", "app")] {
        let said = cluster.psql_in(
            database,
            "select subject from leasehold.check() where invariant = 'an installation lives in one database'",
        )?;
        assert_eq!(said, other, "{database}");
    }
    wait_until(SOON, "the copy's lease is long past its end", || {
        Ok(cluster.psql_in(
            "copy",
            "select bool_or(expires_at < now() - interval '2 seconds') from leasehold.leases",
        )? == "t")
    })?;
    assert_eq!(sweepers(&cluster, "copy")?, "");
    let revoke = format!("select leasehold.revoke('{}')", kept.id);
    assert_eq!(cluster.psql_in("copy", &revoke)?, "ending");
    for text in [
        "select leasehold.issue('reader')",
        "select leasehold.sweep()",
    ] {
        refused(cluster.psql_in("copy", text), "LH003", &[])?;
    }
    for lease in [&kept, &renewed] {
        lease.session("app").await?;
    }
    let short = issue(&cluster, "app", "1 second")?;
    wait_until(SOON, "leases end in the original", || {
        Ok(!cluster.has_role(&short)?)
    })?;

    // With a label of its own the copy is another installation, whose leases have ended by the restore.
    cluster.psql(&format!(
        "security label for leasehold on database copy is '{}'",
        cluster.psql("select gen_random_uuid()")?
    ))?;
    cluster.wait_enforced("copy")?;
    wait_until(SOON, "its leases are gone", || {
        Ok(cluster.psql_in("copy", "select count(*) from leasehold.history")? == "2")
    })
    .with_context(|| {
        let kept = cluster.psql_in("copy", "select * from leasehold.leases");
        kept.unwrap_or_default()
    })?;

    let there = issue(&cluster, "copy", "1 second")?;
    wait_until(SOON, "leases end there", || Ok(!cluster.has_role(&there)?))?;
    for lease in [&kept, &renewed] {
        lease.session("app").await?;
    }
    Ok(())
}

/// The original goes, and the copy is the installation: with the leases that it knows.
#[test]
fn a_copy_takes_over_when_its_original_goes() -> Result<()> {
    let cluster = cluster(&["app"])?;
    let known = cluster.issue_in("app", "reader", "1 hour")?;
    let dump = cluster.dump_and_create_database("app")?;
    let since = cluster.issue_in("app", "reader", "1 hour")?;
    restore_beside(&cluster, &dump)?;
    cluster.psql("drop database app with (force)")?;
    cluster.wait_enforced("copy")?;
    assert_eq!(
        cluster.psql_in("copy", "select login from leasehold.leases")?,
        known.login
    );
    // What was made since the dump is nobody's: it is named, and its password ends in time.
    assert_eq!(
        cluster.psql_in("copy", "select login, reason from leasehold.orphans")?,
        format!("{}|label without a lease", since.login)
    );
    cluster.psql(&format!("drop role \"{}\"", since.login))?;
    cluster.psql_in("copy", "select leasehold.revoke_prefix('')")?;
    wait_until(SOON, "the login is gone", || {
        Ok(!cluster.has_role(&known.login)?)
    })
}
