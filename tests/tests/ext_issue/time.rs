//! How long a lease lives: what it is given, what a renewal adds, and how it is ended before its time.

use anyhow::Result;
use leasehold_tests::{Options, sqlstate, wait_until};
use std::time::Duration;

use super::{LOGINS, prepared};

#[test]
fn time_is_counted_as_the_recipe_and_the_caller_say() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster.psql(
        "select leasehold.define_role('short', default_ttl => '1 min', max_ttl => '1 hour');
                  select leasehold.define_role('open', default_ttl => null, max_ttl => null)",
    )?;
    let issue = |arguments: &str| {
        cluster.psql(&format!(
            "select ttl_seconds, max_ttl_seconds from leasehold.issue({arguments})"
        ))
    };
    assert_eq!(issue("'short'")?, "60|3600");
    assert_eq!(issue("'short', ttl => '30 min'")?, "1800|3600");
    assert_eq!(issue("'short', ttl => '1 day'")?, "3600|3600");
    assert_eq!(issue("'short', max_ttl => '30 s'")?, "30|30");
    assert_eq!(issue("'short', max_ttl => '1 day'")?, "60|3600");
    assert_eq!(issue("'short', ttl => '30 min', cap => '20 s'")?, "20|3600");
    assert_eq!(issue("'open'")?, "3600|2764800");
    assert_eq!(issue("'open', ttl => '1 year'")?, "2764800|2764800");
    for arguments in [
        "'short', ttl => '0'",
        "'short', ttl => '-1 s'",
        "'short', max_ttl => '0'",
    ] {
        assert_eq!(sqlstate(issue(arguments)), "22023", "{arguments}");
    }
    assert_eq!(sqlstate(issue("'short', cap => '0'")), "LH006");
    Ok(())
}

#[test]
fn renew_counts_from_now_and_never_past_the_maximum() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster.psql(
        "select leasehold.define_role('short', default_ttl => '1 min', max_ttl => '1 hour')",
    )?;
    let id = cluster.psql("select lease_id from leasehold.issue('short')")?;
    let renew = |more: &str| {
        cluster.psql(&format!(
            "select ttl_seconds from leasehold.renew('{id}' {more})"
        ))
    };
    assert_eq!(renew("")?, "60");
    assert_eq!(renew(", ttl => '10 min'")?, "600");
    let until = cluster.psql("select a.rolvaliduntil = l.expires_at, l.due_at = l.expires_at from leasehold.leases l join pg_authid a on a.oid = l.login_oid")?;
    assert_eq!(until, "t|t");
    assert_eq!(renew(", ttl => '20 s'")?, "20", "shorter is a legal wish");
    let capped: i32 = renew(", ttl => '2 hours'")?.parse()?;
    assert!((3590..3600).contains(&capped), "{capped}");
    // The maximum is that of now.
    cluster.psql(
        "select leasehold.define_role('short', default_ttl => '1 min', max_ttl => '2 hours')",
    )?;
    let capped: i32 = renew(", ttl => '3 hours'")?.parse()?;
    assert!((7190..7200).contains(&capped), "{capped}");
    assert_eq!(sqlstate(renew(", digest => 'not this one'")), "LH002");
    assert_eq!(sqlstate(renew(", ttl => '0'")), "22023");
    assert_eq!(sqlstate(renew(", max_ttl => '1 microsecond'")), "LH006");
    cluster.psql("select leasehold.drop_role('short')")?;
    assert_eq!(sqlstate(renew("")), "LH001");
    assert_eq!(
        sqlstate(cluster.psql("select leasehold.renew('nobody/knows')")),
        "LH005"
    );
    cluster.psql(&format!("select leasehold.revoke('{id}')"))?;
    assert_eq!(sqlstate(renew("")), "LH005");
    Ok(())
}

#[test]
fn a_cap_binds_renewals_too() -> Result<()> {
    let cluster = prepared(Options::default())?;
    let id = cluster
        .psql("select lease_id from leasehold.issue('r', ttl => '1 min', cap => '2 min')")?;
    let left: i32 = cluster
        .psql(&format!(
            "select ttl_seconds from leasehold.renew('{id}', '1 hour')"
        ))?
        .parse()?;
    assert!((110..=120).contains(&left), "{left}");
    Ok(())
}

/// After a restore an OID may be another role's, and a name may be taken again: neither is the lease's login.
#[test]
fn a_renewal_touches_nobody_but_its_own_login() -> Result<()> {
    let cluster = prepared(Options::default().without_preload())?;
    cluster.psql(
        r#"create role bob login valid until '2100-01-01'; create role extra;
           select leasehold.define_role('renewing', creation_statements => array[$$CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}'$$],
               renewal_statements => array[$$GRANT extra TO "{{name}}"$$])"#,
    )?;
    let login = cluster.psql("select login from leasehold.issue('renewing', request_id => '1')")?;
    cluster.psql(&format!(
        r#"alter role "{login}" rename to ours; create role "{login}""#
    ))?;
    cluster.psql("select leasehold.renew('1', '30 min')")?;
    assert_eq!(
        cluster
            .psql("select member::regrole from pg_auth_members where roleid = 'extra'::regrole")?,
        "ours"
    );
    cluster.psql("update leasehold.live_leases set login_oid = 'bob'::regrole")?;
    assert_eq!(
        sqlstate(cluster.psql("select leasehold.renew('1', '40 min')")),
        "LH005"
    );
    assert_eq!(
        cluster
            .psql("select extract(year from rolvaliduntil) from pg_roles where rolname = 'bob'")?,
        "2100"
    );
    // As it was, for what is looked at in the end; the namesake is not ours.
    cluster.psql(&format!(
        r#"update leasehold.live_leases set login_oid = 'ours'::regrole; drop role "{login}"; alter role ours rename to "{login}""#
    ))?;
    Ok(())
}

#[test]
fn an_ended_lease_stays_ended() -> Result<()> {
    let cluster = prepared(Options::default())?;
    let id = cluster.psql("select lease_id from leasehold.issue('r', ttl => '300 ms')")?;
    std::thread::sleep(Duration::from_millis(320));
    assert_eq!(
        sqlstate(cluster.psql(&format!("select leasehold.renew('{id}')"))),
        "LH005"
    );
    wait_until(Duration::from_secs(3), "the login is dropped", || {
        Ok(cluster.psql(LOGINS)? == "0")
    })?;
    assert_eq!(
        cluster.psql("select cause, ended_by is null from leasehold.history")?,
        "expired|t"
    );
    assert_eq!(
        cluster.psql(&format!("select leasehold.revoke('{id}')"))?,
        "gone"
    );
    Ok(())
}

#[test]
fn revoke_fences_in_its_own_transaction() -> Result<()> {
    let cluster = prepared(Options::default())?;
    let revoked = cluster.psql(
        "begin;
         select lease_id from leasehold.issue('r', login => 'l', request_id => 'x/1');
         select leasehold.revoke('x/1');
         select rolcanlogin, rolpassword is null, pg_has_role('l', 'readers', 'member') from pg_authid where rolname = 'l';
         commit",
    )?;
    assert_eq!(revoked, "x/1\nfenced\nf|t|f");
    wait_until(Duration::from_secs(3), "the login is dropped", || {
        Ok(cluster.psql(LOGINS)? == "0")
    })?;
    assert_eq!(
        cluster.psql("select cause, ended_by from leasehold.history")?,
        "revoked|postgres"
    );
    assert_eq!(cluster.psql("select leasehold.revoke('x/1')")?, "gone");
    Ok(())
}

#[tokio::test]
async fn revoke_does_not_wait_for_whoever_holds_the_lease() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster.psql("select leasehold.issue('r', request_id => 'held')")?;
    let mut idle = cluster.connect().await?;
    sqlx::raw_sql("begin; select leasehold.renew('held')")
        .execute(&mut idle)
        .await?;
    assert_eq!(
        cluster.psql("set statement_timeout = '2s'; select leasehold.revoke('held')")?,
        "ending"
    );
    wait_until(Duration::from_secs(5), "the lease is gone", || {
        Ok(cluster.psql("select cause, ended_by from leasehold.history")? == "revoked|postgres")
    })
}

#[tokio::test]
async fn many_are_revoked_at_once_and_held_ones_are_left_to_the_worker() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster.psql(
        "select leasehold.issue('r', request_id => 'many/' || n) from generate_series(1, 7) n",
    )?;
    let mut idle = cluster.connect().await?;
    sqlx::raw_sql("begin; select leasehold.renew('many/3')")
        .execute(&mut idle)
        .await?;
    // One of them unknown, one named twice.
    let revoke = "set statement_timeout = '2s'; select leasehold.revoke_leases('{many/1,many/1,many/2,many/3,unknown}')";
    assert_eq!(cluster.psql(revoke)?, "1");
    wait_until(Duration::from_secs(5), "the three are gone", || {
        let left = "select string_agg(lease_id, ' ' order by lease_id) from leasehold.leases";
        Ok(cluster.psql(left)? == "many/4 many/5 many/6 many/7")
    })?;
    assert_eq!(
        cluster.psql("select distinct cause, ended_by from leasehold.history")?,
        "revoked|postgres"
    );
    assert_eq!(
        cluster.psql("select leasehold.revoke_leases('{many/1,unknown}')")?,
        "0"
    );
    assert_eq!(
        sqlstate(cluster.psql("select leasehold.revoke_leases(array_fill('x'::text, '{10001}'))")),
        "22023"
    );
    Ok(())
}

#[test]
fn prefixes_are_cut_at_slashes_and_worked_off_in_limited_calls() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster.psql(
        "select leasehold.issue('r', request_id => 'db/creds/a/' || n) from generate_series(1, 7) n;
         select leasehold.issue('r', request_id => 'db/creds/ab/1'); select leasehold.issue('r', request_id => 'db/creds/a');
         select leasehold.issue('r', request_id => 'db/creds/a_/1')",
    )?;
    let revoke = |prefix: &str, at_most: i32| {
        cluster.psql(&format!(
            "select leasehold.revoke_prefix('{prefix}', {at_most})"
        ))
    };
    assert_eq!(revoke("db/creds/a", 5)?, "3");
    assert_eq!(revoke("db/creds/a/", 5)?, "0");
    wait_until(Duration::from_secs(3), "they are gone", || {
        Ok(cluster
            .psql("select string_agg(lease_id, ' ' order by lease_id) from leasehold.leases")?
            == "db/creds/a_/1 db/creds/ab/1")
    })?;
    assert_eq!(revoke("", 500)?, "0");
    assert_eq!(sqlstate(revoke("", 0)), "22023");
    Ok(())
}

#[tokio::test]
async fn a_login_that_holds_its_own_row_delays_nobody_but_itself() -> Result<()> {
    let cluster = prepared(Options::default())?;
    let row =
        cluster.psql("select login, password from leasehold.issue('r', request_id => 'x')")?;
    let (login, password) = row.split_once('|').expect("two columns");
    let mut session = cluster.log_in(login, password).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "begin; alter role \"{login}\" set work_mem = '8MB'; alter role \"{login}\" password null"
    )))
    .execute(&mut session)
    .await?;
    assert_eq!(
        sqlstate(cluster.psql("select leasehold.renew('x')")),
        "55P03"
    );
    assert_eq!(
        cluster.psql("set statement_timeout = '2s'; select leasehold.revoke('x')")?,
        "ending"
    );
    wait_until(Duration::from_secs(5), "the lease is gone", || {
        Ok(cluster.psql("select cause from leasehold.history")? == "revoked")
    })
}

#[test]
fn a_store_hears_of_renewals_and_ends_until_it_says_so() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster.psql(
        "select leasehold.register_scope('store', 'a key that nobody guesses');
         select leasehold.define_role('r', '{readers}', scope => 'store');
         select leasehold.issue('r', request_id => 'a', scope => 'store'); select leasehold.issue('r', request_id => 'b');
         select leasehold.renew('a', '10 min', scope => 'store'); select leasehold.renew('b')",
    )?;
    let read = || {
        cluster.psql("select lease_id, kind, ttl_seconds between 590 and 600, cause from leasehold.changes(scope => 'store')")
    };
    assert_eq!(read()?, "a|renewed|t|");
    cluster.psql("select leasehold.revoke('a', 'store'); select leasehold.revoke('b')")?;
    wait_until(Duration::from_secs(3), "the end is told", || {
        Ok(read()? == "a|renewed|t|\na|ended||revoked")
    })?;
    let acknowledge = "select leasehold.ack_changes(array(select id from leasehold.changes(1, 'store')), 'store')";
    assert_eq!(cluster.psql(acknowledge)?, "1");
    assert_eq!(read()?, "a|ended||revoked");
    assert_eq!(cluster.psql(acknowledge)?, "1");
    assert_eq!(cluster.psql(acknowledge)?, "0");
    Ok(())
}
