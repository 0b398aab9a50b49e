//! No access is left: on time, at once when it is revoked, and whatever the login or the caller holds.

use anyhow::{Result, ensure};
use leasehold_tests::{Options, wait_until};
use std::time::Duration;

use super::{cluster, cluster_with, run};

#[tokio::test]
async fn a_lease_ends_on_time_with_all_its_sessions() -> Result<()> {
    let cluster = cluster()?;
    let lease = cluster.issue("reader", "2 seconds")?;
    let mut idle = lease.session("postgres").await?;
    let mut changed = lease.session("postgres").await?;
    let mut elsewhere = lease.session("second").await?;
    run(&mut idle, "select x from public.secret").await?;
    run(
        &mut changed,
        "set role readers; begin; select x from public.secret",
    )
    .await?;
    run(&mut elsewhere, "begin; create temp table t (x int)").await?;
    assert_eq!(
        cluster.psql("select count(*) from leasehold.sessions")?,
        "3"
    );

    lease.wait_gone()?;
    for session in [&mut idle, &mut changed, &mut elsewhere] {
        assert!(
            run(session, "select 1").await.is_err(),
            "a session outlived its lease"
        );
    }
    let refused = cluster
        .log_in(&lease.login, &lease.password)
        .await
        .expect_err("it is gone");
    assert_eq!(
        refused
            .as_database_error()
            .and_then(|e| e.code())
            .as_deref(),
        Some("28P01")
    );
    let late = cluster.psql(
        "select cause, fenced_at - expires_at < interval '1 second', gone_at - expires_at < interval '5 seconds'
           from leasehold.history",
    )?;
    assert_eq!(late, "expired|t|t");
    Ok(())
}

#[tokio::test]
async fn a_revoked_lease_refuses_logins_from_the_commit_on() -> Result<()> {
    let cluster = cluster()?;
    let lease = cluster.issue("reader", "1 hour")?;
    let mut open = lease.session("postgres").await?;
    assert_eq!(lease.revoke()?, "fenced");
    assert!(cluster.log_in(&lease.login, &lease.password).await.is_err());
    let row = cluster.psql(&format!(
        "select * from leasehold.await_ended(array['{}'])",
        lease.id
    ))?;
    assert_eq!(row, format!("{}|gone|{{}}|", lease.id));
    assert!(run(&mut open, "select 1").await.is_err());
    assert!(!cluster.has_role(&lease.login)?);
    assert_eq!(
        cluster.psql("select cause from leasehold.history")?,
        "revoked"
    );
    // Again is no error.
    assert_eq!(lease.revoke()?, "gone");
    Ok(())
}

/// A login may change its own password, and while that transaction is open nobody can fence it: its own row is locked.
/// Prepared, the lock even outlives the session.
#[tokio::test]
async fn a_login_can_not_hold_off_its_own_end() -> Result<()> {
    let cluster = cluster()?;
    let open = cluster.issue("reader", "2 seconds")?;
    let mut holder = open.session("postgres").await?;
    run(
        &mut holder,
        &format!("begin; alter role \"{}\" password null", open.login),
    )
    .await?;

    let prepared = cluster.issue("reader", "2 seconds")?;
    cluster.psql_as(
        &prepared.login,
        "second",
        &format!(
            "begin; alter role \"{}\" password null; prepare transaction 'stay'",
            prepared.login
        ),
    )?;
    let owner = cluster.issue("reader", "2 seconds")?;
    cluster.psql_as(
        &owner.login,
        "second",
        "begin; create table public.t9 (a int); prepare transaction 'own'",
    )?;

    // Who prepared a transaction is the role that was set, and need not be the session's user.
    let disguised = cluster.issue("reader", "2 seconds")?;
    cluster.psql_as(
        &disguised.login,
        "second",
        &format!(
            "begin; alter role \"{}\" password null; set local role readers; prepare transaction 'disguise'",
            disguised.login
        ),
    )?;
    // Nor need it be a session of the login's that holds its row.
    let lender = cluster.issue("reader", "2 seconds")?;
    cluster.psql_as(
        &lender.login,
        "postgres",
        &format!(
            "create function public.hold() returns void language sql security definer as 'alter role \"{}\" password null'",
            lender.login
        ),
    )?;
    cluster.psql("create role accomplice login")?;
    let mut accomplice = cluster.connect_trusted("accomplice", "postgres").await?;
    run(&mut accomplice, "begin; select public.hold()").await?;

    for lease in [&open, &prepared, &owner, &disguised] {
        lease.wait_gone()?;
    }
    lender.wait_fenced()?;
    assert_eq!(cluster.psql("select count(*) from pg_prepared_xacts")?, "0");
    cluster.psql("drop function public.hold()")?;
    lender.wait_gone()?;
    let late = cluster.psql(
        "select bool_and(fenced_at - expires_at < interval '2 seconds') from leasehold.history",
    )?;
    assert_eq!(late, "t");
    Ok(())
}

/// A savepoint that was released leaves no lock that `pg_locks` shows, and several who share a row hold it by a number that is
/// no transaction's.
#[tokio::test]
async fn nobody_holds_off_an_end_by_a_savepoint_or_together() -> Result<()> {
    let cluster = cluster()?;
    let renewed = cluster.issue("reader", "8 seconds")?;
    let shared = cluster.issue("reader", "8 seconds")?;
    let mut caller = cluster.connect().await?;
    let renew = format!(
        "begin; savepoint s; select leasehold.renew('{}', ttl => '1 hour'); release savepoint s",
        renewed.id
    );
    run(&mut caller, &renew).await?;
    let mut sharers = [cluster.connect().await?, cluster.connect().await?];
    for sharer in &mut sharers {
        let share = format!(
            "begin; select from leasehold.live_leases where lease_id = '{}' for share",
            shared.id
        );
        run(sharer, &share).await?;
    }
    for lease in [&renewed, &shared] {
        lease.wait_gone()?;
    }
    assert!(run(&mut caller, "commit").await.is_err(), "it was ended");
    Ok(())
}

/// Whoever calls `renew` and then sits in its transaction holds the lease's row; the lease ends all the same.
#[tokio::test]
async fn a_caller_who_idles_after_a_verb_does_not_hold_off_the_end() -> Result<()> {
    let cluster = cluster()?;
    let lease = cluster.issue("reader", "2 seconds")?;
    let mut open = lease.session("postgres").await?;
    let mut caller = cluster.connect().await?;
    run(
        &mut caller,
        &format!(
            "begin; select leasehold.renew('{}', ttl => '1 hour')",
            lease.id
        ),
    )
    .await?;
    lease.wait_gone()?;
    assert!(run(&mut open, "select 1").await.is_err());
    assert!(
        run(&mut caller, "commit").await.is_err(),
        "the holder was ended"
    );
    Ok(())
}

/// A function that a login left behind runs with the login's rights, whoever calls it. Without its memberships the login
/// has none to lend.
#[test]
fn a_fenced_login_lends_nothing() -> Result<()> {
    let cluster = cluster()?;
    let lease = cluster.issue("reader", "1 hour")?;
    cluster.psql_as(
        &lease.login,
        "postgres",
        "create function public.leak() returns bigint language sql security definer as 'select sum(x) from public.secret'",
    )?;
    cluster.psql("create role mallory login")?;
    assert_eq!(
        cluster.psql_as("mallory", "postgres", "select public.leak()")?,
        "42"
    );
    lease.revoke()?;
    let refused = cluster
        .psql_as("mallory", "postgres", "select public.leak()")
        .expect_err("nothing is lent");
    ensure!(
        refused.to_string().contains("permission denied"),
        "{refused:#}"
    );
    lease.wait_reason()?;
    cluster.psql(&format!("drop owned by \"{}\"", lease.login))?;
    lease.wait_gone()
}

/// Whoever renews under an owner that has just ended is refused, and then sits in its transaction with the owner's row.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_refused_for_an_owner_s_end_does_not_hold_it_off() -> Result<()> {
    let cluster = cluster()?;
    let id = cluster
        .psql("select lease_id from leasehold.issue('reader', ttl => '1 hour', owners => '{o}')")?;
    let mut ending = cluster.connect().await?;
    run(&mut ending, "begin; select leasehold.revoke_owner('o')").await?;
    // Several: one of them is before the worker.
    let mut asked = Vec::new();
    for _ in 0..12 {
        let mut caller = cluster.connect().await?;
        let renewing = format!("begin; select from leasehold.renew_leases('{{{id}}}')");
        asked.push(tokio::spawn(async move {
            let answer = run(&mut caller, &renewing).await;
            (caller, answer)
        }));
    }
    wait_until(Duration::from_secs(20), "all of them wait", || {
        let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
        Ok(cluster.psql(waiting)? == "12")
    })?;
    run(&mut ending, "commit").await?;
    let mut idle = Vec::new();
    for one in asked {
        let (caller, answer) = one.await?;
        ensure!(answer.is_ok(), "refusals are rows: {answer:?}");
        idle.push(caller);
    }
    wait_until(Duration::from_secs(5), "the lease has ended", || {
        Ok(cluster.psql("select count(*) from leasehold.leases")? == "0")
    })
}

#[test]
fn waiting_is_a_statement_of_its_own() -> Result<()> {
    let cluster = cluster()?;
    let lease = cluster.issue("reader", "1 hour")?;
    let refused = cluster
        .psql(&format!(
            "begin; select leasehold.revoke('{0}'); select * from leasehold.await_ended(array['{0}'])",
            lease.id
        ))
        .expect_err("it would wait for itself");
    ensure!(refused.to_string().contains("25001"), "{refused:#}");
    assert_eq!(
        cluster.psql(&format!(
            "select state from leasehold.await_ended(array['{}', 'unknown'], timeout => '10 ms')",
            lease.id
        ))?,
        "active\ngone"
    );
    let prepared = cluster
        .psql(&format!(
            "begin; select leasehold.revoke('{}'); prepare transaction 'p'",
            lease.id
        ))
        .expect_err("a verb can not be prepared");
    ensure!(prepared.to_string().contains("0A000"), "{prepared:#}");
    Ok(())
}

/// Without preload there is no worker: `VALID UNTIL` stops the password, and `sweep` does the rest when it is called.
#[tokio::test]
async fn without_preload_sweep_ends_what_is_due() -> Result<()> {
    let cluster = cluster_with(Options::default().without_preload())?;
    assert_eq!(
        cluster.psql("select preloaded, enforced from leasehold.heartbeat()")?,
        "f|f"
    );
    let lease = cluster.issue("reader", "1 second")?;
    cluster.psql(&format!(
        "grant select on public.secret to \"{}\"",
        lease.login
    ))?;
    let mut open = lease.session("postgres").await?;
    run(&mut open, "select 1").await?;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert!(
        cluster.log_in(&lease.login, &lease.password).await.is_err(),
        "the password has run out"
    );
    wait_until(Duration::from_secs(10), "sweeping ends the lease", || {
        cluster.psql("select leasehold.sweep()")?;
        Ok(cluster.psql("select count(*) from leasehold.leases")? == "0")
    })?;
    assert!(run(&mut open, "select 1").await.is_err());
    assert!(!cluster.has_role(&lease.login)?);
    Ok(())
}
