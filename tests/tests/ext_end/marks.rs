//! Which logins are ours, who says so, and that the extension stays as long as one is.

use anyhow::{Result, ensure};
use leasehold_tests::Options;

use super::{cluster, cluster_with};

/// A login is known by its OID and its mark, never by its name.
#[test]
fn a_renamed_login_is_still_ours_and_a_namesake_is_not() -> Result<()> {
    let cluster = cluster()?;
    let renamed = cluster.issue("reader", "1 hour")?;
    let dropped = cluster.issue("reader", "1 hour")?;
    cluster.psql(&format!(
        "alter role \"{}\" rename to somebody; drop role \"{}\"; create role \"{}\" login",
        renamed.login, dropped.login, dropped.login
    ))?;
    for lease in [&renamed, &dropped] {
        lease.revoke()?;
        lease.wait_gone()?;
    }
    assert!(!cluster.has_role("somebody")?);
    assert_eq!(
        cluster.psql(&format!(
            "select rolcanlogin from pg_roles where rolname = '{}'",
            dropped.login
        ))?,
        "t"
    );
    Ok(())
}

#[test]
fn the_extension_stays_while_a_lease_lives() -> Result<()> {
    for options in [Options::default(), Options::default().without_preload()] {
        let cluster = cluster_with(options)?;
        let lease = cluster.issue("reader", "1 hour")?;
        for text in [
            "drop extension leasehold",
            "drop extension leasehold cascade",
        ] {
            let refused = cluster.psql(text).expect_err("a lease lives");
            ensure!(
                refused.to_string().contains("leases are not gone"),
                "{refused:#}"
            );
        }
        lease.revoke()?;
        cluster.psql("select leasehold.sweep()")?;
        cluster.psql("select leasehold.sweep()")?;
        lease.wait_gone()?;
        cluster.psql("drop extension leasehold")?;
        let label = "select count(*) from pg_shseclabel where classoid = 'pg_database'::regclass";
        assert_eq!(cluster.psql(label)?, "0");
        cluster.psql("create extension leasehold")?;
    }
    Ok(())
}

#[test]
fn marks_are_set_by_nobody_but_the_extension() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql(
        "create role owner login createrole; create database owned owner owner; create role victim",
    )?;
    let lease = cluster.issue("reader", "1 hour")?;
    for text in [
        "security label for leasehold on role victim is 'x'".to_owned(),
        format!(
            "security label for leasehold on role \"{}\" is null",
            lease.login
        ),
        "security label for leasehold on database owned is 'x'".to_owned(),
        "security label for leasehold on database owned is null".to_owned(),
    ] {
        let refused = cluster.psql_as("owner", "owned", &format!("load 'leasehold'; {text}"));
        let refused = refused
            .or_else(|_| cluster.psql_as("owner", "owned", &text))
            .expect_err("not a superuser");
        ensure!(refused.to_string().contains("42501"), "{text}: {refused:#}");
    }
    Ok(())
}
