//! Issue, settle, renew and revoke from `psql`: what the verbs give, refuse and remember.

use anyhow::Result;
use leasehold_tests::{Cluster, Options, wait_until};
use std::time::Duration;

/// The verifier of the password "pencil".
const PENCIL: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

/// The SQLSTATE of an error that `psql` reported.
fn state(result: Result<String>) -> String {
    let text = format!("{:#}", result.expect_err("an error"));
    let (_, rest) = text.split_once("ERROR:  ").expect("psql says ERROR");
    rest[..5].to_owned()
}

fn prepared(options: Options) -> Result<Cluster> {
    let cluster = Cluster::start(options)?;
    cluster.psql(
        "create table secret (n int); insert into secret values (42);
         create role readers nologin; grant select on secret to readers;
         select leasehold.define_role('r', member_of => '{readers}')",
    )?;
    Ok(cluster)
}

/// Everything the server knows of logins we made, for comparing before and after.
const LOGINS: &str =
    "select count(*) from pg_shseclabel where provider = 'leasehold' and label like '%/%'";

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
        assert_eq!(state(cluster.psql(&issue)), "22023", "{wrong}");
    }
    Ok(())
}

#[test]
fn one_request_makes_one_lease() -> Result<()> {
    let cluster = prepared(Options::default())?;
    let issue = |id: &str, more: &str| {
        cluster.psql(&format!(
            "select lease_id, login, ttl_seconds, issued_at from leasehold.issue('r', request_id => '{id}' {more})"
        ))
    };
    let mine = format!(", verifier => '{PENCIL}'");
    let first = issue("a/b/c", &mine)?;
    assert!(first.starts_with("a/b/c|"));
    assert_eq!(issue("a/b/c", &mine)?, first);
    assert_eq!(cluster.psql(LOGINS)?, "1");
    // Another verifier, none, or another role is another request.
    let other = format!(", verifier => '{}'", PENCIL.replace("4096", "8192"));
    assert_eq!(state(issue("a/b/c", &other)), "LH007");
    assert_eq!(state(issue("a/b/c", "")), "LH007");
    issue("no/verifier", "")?;
    assert_eq!(state(issue("no/verifier", "")), "LH007");
    // What has ended is not given again.
    cluster.psql("select leasehold.revoke('a/b/c')")?;
    assert_eq!(state(issue("a/b/c", &mine)), "LH005");
    Ok(())
}

#[test]
fn settle_knows_what_became_of_a_request() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster.psql(
        "select leasehold.issue('r', request_id => 'lives', ttl => '1 hour');
         select leasehold.issue('r', request_id => 'dead', ttl => '1 hour'); select leasehold.revoke('dead')",
    )?;
    let settle = || {
        cluster.psql("select request_id, outcome, ttl_seconds > 3500 from leasehold.settle('{lives,dead,never}')")
    };
    assert_eq!(settle()?, "dead|ended|\nlives|issued|t\nnever|cancelled|");
    assert_eq!(settle()?, "dead|ended|\nlives|issued|t\nnever|cancelled|");
    assert_eq!(
        state(cluster.psql("select leasehold.issue('r', request_id => 'never')")),
        "LH009"
    );
    Ok(())
}

#[tokio::test]
async fn of_issue_and_settle_at_once_one_wins() -> Result<()> {
    let cluster = prepared(Options::default())?;
    for commits in [true, false] {
        let id = format!("race/{commits}");
        let mut issuing = cluster.connect().await?;
        sqlx::raw_sql("begin").execute(&mut issuing).await?;
        sqlx::query("select leasehold.issue('r', request_id => $1)")
            .bind(&id)
            .execute(&mut issuing)
            .await?;
        let mut settling = cluster.connect().await?;
        let settled = {
            let id = id.clone();
            tokio::spawn(async move {
                sqlx::query_scalar::<_, String>("select outcome from leasehold.settle(array[$1])")
                    .bind(id)
                    .fetch_one(&mut settling)
                    .await
            })
        };
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(
            !settled.is_finished(),
            "settle answered before the issue was decided"
        );
        sqlx::raw_sql(if commits { "commit" } else { "rollback" })
            .execute(&mut issuing)
            .await?;
        assert_eq!(
            settled.await??,
            if commits { "issued" } else { "cancelled" }
        );
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
        assert_eq!(state(issue(login)), "LH004", "{login} is taken");
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
        assert_eq!(state(issue(login)), "LH004", "{login}");
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
        assert_eq!(state(issue(arguments)), "22023", "{arguments}");
    }
    assert_eq!(state(issue("'short', cap => '0'")), "LH006");
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
    assert_eq!(state(renew(", digest => 'not this one'")), "LH002");
    assert_eq!(state(renew(", ttl => '0'")), "22023");
    assert_eq!(state(renew(", max_ttl => '1 microsecond'")), "LH006");
    cluster.psql("select leasehold.drop_role('short')")?;
    assert_eq!(state(renew("")), "LH001");
    assert_eq!(
        state(cluster.psql("select leasehold.renew('nobody/knows')")),
        "LH005"
    );
    cluster.psql(&format!("select leasehold.revoke('{id}')"))?;
    assert_eq!(state(renew("")), "LH005");
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

#[test]
fn an_ended_lease_stays_ended() -> Result<()> {
    let cluster = prepared(Options::default())?;
    let id = cluster.psql("select lease_id from leasehold.issue('r', ttl => '300 ms')")?;
    std::thread::sleep(Duration::from_millis(320));
    assert_eq!(
        state(cluster.psql(&format!("select leasehold.renew('{id}')"))),
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
    assert_eq!(state(revoke("", 0)), "22023");
    Ok(())
}

#[test]
fn a_lease_ends_with_its_owner_and_the_owner_s_parents() -> Result<()> {
    let cluster = prepared(Options::default())?;
    let issue = |id: &str, more: &str| {
        cluster.psql(&format!(
            "select ttl_seconds from leasehold.issue('r', request_id => '{id}', {more})"
        ))
    };
    let left = || {
        cluster.psql("select coalesce(string_agg(lease_id, ' ' order by lease_id), '') from leasehold.leases where state = 'active'")
    };
    // The own end is what callers see, whatever the owners'.
    assert_eq!(
        issue(
            "1",
            "owners => '{child,parent}', owner_ttls => array['1 hour', null]::interval[], owner_revisions => '{1,1}'"
        )?,
        "3600"
    );
    issue(
        "2",
        "owners => '{child,parent}', owner_ttls => array['1 hour', null]::interval[], owner_revisions => '{1,1}'",
    )?;
    issue("3", "owners => '{parent}', owner_revisions => '{1}'")?;
    issue("4", "owners => '{stranger}'")?;
    issue("5", "ttl => '1 hour'")?;
    // Old news is no news; a newer revision counts, and renewals heed it.
    let tell = |arguments: &str| cluster.psql(&format!("select leasehold.owner_ends({arguments})"));
    assert_eq!(tell("'child', 'parent', '1 second', 1")?, "f");
    assert_eq!(left()?, "1 2 3 4 5");
    assert_eq!(tell("'child', 'parent', '500 ms', 2")?, "t");
    wait_until(
        Duration::from_secs(4),
        "the child's leases have ended",
        || Ok(left()? == "3 4 5"),
    )?;
    wait_until(Duration::from_secs(4), "they are gone, and why", || {
        Ok(cluster.psql("select cause, count(*) from leasehold.history group by 1")? == "owner|2")
    })?;
    assert_eq!(
        state(issue(
            "6",
            "owners => '{child,parent}', owner_revisions => '{2,1}'"
        )),
        "LH011"
    );
    // Above all.
    cluster.psql("select leasehold.revoke_owner('parent')")?;
    wait_until(
        Duration::from_secs(4),
        "the parent's lease has ended",
        || Ok(left()? == "4 5"),
    )?;
    assert_eq!(
        state(issue("7", "owners => '{grandchild,child,parent}'")),
        "LH011"
    );
    assert_eq!(tell("'parent', null, null, 99")?, "f", "ended is for ever");
    // An owner that ended before anybody heard of it.
    cluster.psql("select leasehold.revoke_owner('early')")?;
    assert_eq!(
        state(issue("8", "owners => '{early}', owner_revisions => '{9}'")),
        "LH011"
    );
    assert_eq!(state(tell("'stranger', 'stranger', null, 5")), "22023");
    Ok(())
}

#[test]
fn an_owner_that_was_given_more_time_keeps_its_leases() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster.psql(
        "select leasehold.issue('r', request_id => 'x', owners => '{t}', owner_ttls => '{700 ms}', owner_revisions => '{1}');
         select leasehold.owner_ends('t', null, '1 hour', 2)",
    )?;
    std::thread::sleep(Duration::from_millis(1_200));
    assert_eq!(
        cluster.psql("select state, due_at = expires_at from leasehold.leases")?,
        "active|t"
    );
    Ok(())
}

#[tokio::test]
async fn nothing_is_issued_under_an_owner_that_is_ending() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster.psql("select leasehold.owner_ends('t', null, null, 1)")?;
    // An issue that began before the end makes the end wait, and its lease ends with the rest.
    let mut issuing = cluster.connect().await?;
    sqlx::raw_sql("begin; select leasehold.issue('r', request_id => 'late', owners => '{t}', owner_revisions => '{1}')")
        .execute(&mut issuing)
        .await?;
    let mut ending = cluster.connect().await?;
    let ended = tokio::spawn(async move {
        sqlx::raw_sql("select leasehold.revoke_owner('t')")
            .execute(&mut ending)
            .await
            .map(|_| ())
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(
        !ended.is_finished(),
        "the owner ended while a lease under it was being made"
    );
    sqlx::raw_sql("commit").execute(&mut issuing).await?;
    ended.await??;
    wait_until(Duration::from_secs(4), "its lease has ended", || {
        Ok(cluster.psql("select count(*) from leasehold.leases where state = 'active'")? == "0")
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

#[test]
fn a_transaction_that_used_a_verb_can_not_be_prepared() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster.psql("select leasehold.issue('r', request_id => 'x')")?;
    for verb in [
        "issue('r')",
        "renew('x')",
        "revoke('x')",
        "revoke_prefix('y')",
        "revoke_owner('o')",
        "owner_ends('o', null, null, 1)",
        "settle('{s}')",
        "sweep()",
    ] {
        let result = cluster.psql(&format!(
            "begin; select leasehold.{verb}; prepare transaction 'p'"
        ));
        assert_eq!(state(result), "0A000", "{verb}");
    }
    assert_eq!(cluster.psql("select count(*) from pg_prepared_xacts")?, "0");
    assert_eq!(cluster.psql("select count(*) from leasehold.leases")?, "1");
    Ok(())
}

#[test]
fn a_read_only_transaction_is_told_so() -> Result<()> {
    let cluster = prepared(Options::default())?;
    for verb in ["issue('r')", "changes()", "revoke('x')"] {
        let result = cluster.psql(&format!("begin read only; select leasehold.{verb}"));
        assert_eq!(state(result), "25006", "{verb}");
    }
    Ok(())
}

#[test]
fn a_rolled_back_issue_leaves_nothing() -> Result<()> {
    let cluster = prepared(Options::default())?;
    cluster
        .psql("begin; select leasehold.issue('r', request_id => 'x', login => 'l'); rollback")?;
    assert_eq!(cluster.psql(LOGINS)?, "0");
    assert_eq!(cluster.psql("select count(*) from leasehold.leases")?, "0");
    let both = cluster.psql(
        "begin; savepoint s; select login from leasehold.issue('r', request_id => 'x', login => 'l'); rollback to s;
         select login from leasehold.issue('r', request_id => 'x', login => 'm'); commit",
    )?;
    assert_eq!(both, "l\nm");
    Ok(())
}

#[test]
fn what_was_answered_is_durable_whatever_the_database_says() -> Result<()> {
    let cluster = prepared(Options::default())?;
    for (said, expect) in [
        ("off", "on"),
        ("local", "on"),
        ("remote_write", "on"),
        ("on", "on"),
        ("remote_apply", "remote_apply"),
    ] {
        let during = cluster.psql(&format!(
            "set synchronous_commit = {said}; begin; select from leasehold.issue('r'); show synchronous_commit; commit;
             show synchronous_commit"
        ))?;
        assert_eq!(during.trim_start(), format!("{expect}\n{said}"), "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn many_at_once_share_nothing_but_their_recipe() -> Result<()> {
    let cluster = prepared(Options::default())?;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut session = cluster.connect().await?;
        clients.push(tokio::spawn(async move {
            for _ in 0..25 {
                sqlx::raw_sql("select leasehold.issue('r')")
                    .execute(&mut session)
                    .await?;
            }
            Ok::<_, sqlx::Error>(())
        }));
    }
    for client in clients {
        client.await??;
    }
    assert_eq!(cluster.psql(LOGINS)?, "200");
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
        state(cluster.psql("select leasehold.issue('r', scope => 'store')")),
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
        state(cluster.psql("select leasehold.issue('r', login => 'readers')")),
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
    assert_eq!(state(cluster.psql("select leasehold.renew('x')")), "55P03");
    assert_eq!(
        cluster.psql("set statement_timeout = '2s'; select leasehold.revoke('x')")?,
        "ending"
    );
    wait_until(Duration::from_secs(5), "the lease is gone", || {
        Ok(cluster.psql("select cause from leasehold.history")? == "revoked")
    })
}
