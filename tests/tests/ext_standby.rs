//! A streaming standby: a session there ends with its lease as well, although nothing can be written there.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Cluster, Lease, Options, wait_until};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);

fn sessions(standby: &Cluster, login: &str) -> Result<String> {
    // By every trace: the name is gone once the role is.
    standby.psql(&format!(
        "select count(*) from pg_stat_activity where application_name = '{login}'"
    ))
}

async fn session(standby: &Cluster, lease: &Lease<'_>) -> Result<sqlx::PgConnection> {
    use sqlx::Connection;
    let options = standby
        .tcp(&lease.login, &lease.password, "postgres")
        .application_name(&lease.login);
    let session = sqlx::PgConnection::connect_with(&options).await?;
    ensure!(sessions(standby, &lease.login)? == "1", "the session shows");
    Ok(session)
}

/// Time for the worker there, which looks twice a second, on a machine that is busy with other tests.
const BOUND: Duration = Duration::from_secs(4);

#[tokio::test]
async fn sessions_on_a_standby_end_with_their_lease() -> Result<()> {
    let primary = Cluster::start(Options::default())?;
    primary.psql(
        "create role readers; select leasehold.define_role('reader', member_of => '{readers}')",
    )?;
    let standby = Cluster::standby_of(&primary)?;
    assert_eq!(standby.psql("select pg_is_in_recovery()")?, "t");
    let issue = |ttl: &str| {
        let lease = primary.issue("reader", ttl)?;
        wait_until(SOON, "the standby knows the login", || {
            standby.has_role(&lease.login)
        })?;
        anyhow::Ok(lease)
    };

    let revoked = issue("1 hour")?;
    let kept = issue("1 hour")?;
    let mut ended = session(&standby, &revoked).await?;
    let mut stays = session(&standby, &kept).await?;
    // What it owns keeps the login there, fenced: with the role gone the session would end for want of a user.
    primary.psql(&format!(
        "create table public.kept (x int); alter table public.kept owner to \"{}\"",
        revoked.login
    ))?;
    revoked.revoke()?;
    let begin = Instant::now();
    wait_until(SOON, "the session is ended", || {
        Ok(sessions(&standby, &revoked.login)? == "0")
    })?;
    ensure!(begin.elapsed() < BOUND, "{:?}", begin.elapsed());
    assert!(sqlx::query("select 1").execute(&mut ended).await.is_err());
    ensure!(standby.has_role(&revoked.login)?);
    assert!(
        standby
            .log_in(&revoked.login, &revoked.password)
            .await
            .is_err()
    );
    sqlx::query("select 1").execute(&mut stays).await?;

    // Its own end needs no word from the primary, which is gone here.
    let expiring = issue("8 seconds")?;
    let began = Instant::now();
    let mut ended = session(&standby, &expiring)
        .await
        .context("before its end")?;
    primary.stop(leasehold_tests::Stop::Immediate)?;
    wait_until(SOON, "the session is ended", || {
        Ok(sessions(&standby, &expiring.login)? == "0")
    })?;
    ensure!(
        began.elapsed() < Duration::from_secs(8) + BOUND,
        "{:?}",
        began.elapsed()
    );
    assert!(sqlx::query("select 1").execute(&mut ended).await.is_err());
    assert!(
        standby
            .log_in(&expiring.login, &expiring.password)
            .await
            .is_err()
    );
    sqlx::query("select 1").execute(&mut stays).await?;
    Ok(())
}

/// A worker of the standby that took over ends what the old primary has not.
#[test]
fn a_promoted_standby_ends_leases() -> Result<()> {
    let primary = Cluster::start(Options::default())?;
    primary.psql(
        "create role readers; select leasehold.define_role('reader', member_of => '{readers}')",
    )?;
    let standby = Cluster::standby_of(&primary)?;
    primary.psql("select leasehold.issue('reader', ttl => '4 seconds')")?;
    wait_until(SOON, "the standby knows the lease", || {
        Ok(standby.psql("select count(*) from leasehold.leases")? == "1")
    })?;
    primary.stop(leasehold_tests::Stop::Immediate)?;
    standby.psql("select pg_promote()")?;
    wait_until(SOON, "the lease is gone", || {
        Ok(standby.psql("select cause from leasehold.history")? == "expired")
    })?;
    assert_eq!(
        standby.psql("select count(*) from pg_roles where rolname ~ '^lh_'")?,
        "0"
    );
    standby.psql("select leasehold.issue('reader')")?;
    Ok(())
}

/// A server may be told to isolate all transactions fully, which a standby can not.
#[tokio::test]
async fn workers_of_a_standby_choose_their_isolation_themselves() -> Result<()> {
    let serializable = Options::default().set("default_transaction_isolation", "serializable");
    let primary = Cluster::start(serializable)?;
    primary.psql(
        "alter role postgres set default_transaction_isolation = 'read committed';
         create role readers; alter role readers set default_transaction_isolation = 'read committed';
         select leasehold.define_role('reader', member_of => '{readers}', settings => '{default_transaction_isolation=read committed}')",
    )?;
    let standby = Cluster::standby_of(&primary)?;
    let lease = primary.issue("reader", "1 hour")?;
    wait_until(SOON, "the standby knows the login", || {
        standby.has_role(&lease.login)
    })?;
    let _open = session(&standby, &lease).await?;
    primary.psql(&format!(
        "create table public.kept (x int); alter table public.kept owner to \"{}\"",
        lease.login
    ))?;
    lease.revoke()?;
    wait_until(SOON, "the session is ended", || {
        Ok(sessions(&standby, &lease.login)? == "0")
    })
}
