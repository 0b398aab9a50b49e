//! The hard cases of the end: whoever is half-way in when a lease ends, and logins that are not what they were.

use anyhow::{Result, ensure};
use leasehold_tests::{Cluster, Gate, Options, wait_until};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);

fn cluster() -> Result<Cluster> {
    let cluster = Cluster::start(Options::default())?;
    cluster.create_database("second")?;
    cluster.psql(
        "create role readers; grant create on schema public to readers;
         select leasehold.define_role('reader', member_of => '{readers}')",
    )?;
    Ok(cluster)
}

/// Begins to log in over TCP, and stops before the client proves that it knows the password.
async fn half_way(
    cluster: &Cluster,
    login: &str,
    password: &str,
) -> Result<(
    Gate,
    tokio::task::JoinHandle<Result<PgConnection, sqlx::Error>>,
)> {
    // The client's messages: who it is, how it will prove it, the proof.
    let mut gate = Gate::before(cluster.port(), 3).await?;
    let options = cluster.tcp(login, password, "postgres").port(gate.port());
    let client = tokio::spawn(async move { PgConnection::connect_with(&options).await });
    gate.holds().await?;
    Ok((gate, client))
}

/// The server reads the verifier at the beginning of the exchange and judges the proof by it, whatever has become of the
/// password meanwhile; only whether the role may log in is looked at afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_half_way_through_its_exchange_is_refused() -> Result<()> {
    let cluster = cluster()?;
    for ends_itself in [false, true] {
        let ttl = if ends_itself { "3 seconds" } else { "1 hour" };
        let lease = cluster.issue("reader", ttl)?;
        // What it owns keeps the login there, fenced: with the role gone nobody could log in anyway.
        cluster.psql(&format!(
            "create table public.kept_{ends_itself} (x int); alter table public.kept_{ends_itself} owner to \"{}\"",
            lease.login
        ))?;
        let (gate, client) = half_way(&cluster, &lease.login, &lease.password).await?;
        if !ends_itself {
            assert_eq!(lease.revoke()?, "fenced");
        }
        lease.wait_fenced()?;
        gate.open();
        let refused = client.await?.expect_err("the lease has ended");
        let code = refused.as_database_error().and_then(|e| e.code());
        assert_eq!(code.as_deref(), Some("28000"), "{refused}");
        cluster.psql(&format!("drop owned by \"{}\"", lease.login))?;
        lease.wait_gone()?;
    }
    Ok(())
}

/// The control: a password that is gone and out of date does not stop an exchange that has begun.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_fence_an_exchange_goes_through() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql("create role plain login password 'known'")?;
    let (gate, client) = half_way(&cluster, "plain", "known").await?;
    cluster.psql("alter role plain password null valid until '2000-01-01'")?;
    gate.open();
    let mut session = client.await??;
    let user: String = sqlx::query_scalar("select session_user::text")
        .fetch_one(&mut session)
        .await?;
    assert_eq!(user, "plain");
    assert!(cluster.log_in("plain", "known").await.is_err());
    Ok(())
}

/// Between the check of its role and its row in `pg_stat_activity` a backend is in nobody's sight. Here it is stopped
/// there; the login is not dropped before it is gone, and it never comes to life.
#[tokio::test(flavor = "multi_thread")]
async fn a_backend_in_start_up_ends_with_its_lease() -> Result<()> {
    let cluster = cluster()?;
    let lease = cluster.issue("reader", "1 hour")?;
    let options = cluster
        .tcp(&lease.login, &lease.password, "postgres")
        .options([("post_auth_delay", "2")]);
    let client = tokio::spawn(async move { PgConnection::connect_with(&options).await });
    let unseen =
        "select string_agg(l.pid::text, ',') from pg_locks l where l.locktype = 'object' and l.classid = 'pg_database'::regclass
                     and not exists (select from pg_stat_activity a where a.pid = l.pid)";
    // It locks its database after its role has been checked.
    let mut pid = String::new();
    wait_until(SOON, "a backend is starting", || {
        pid = cluster.psql(unseen)?;
        Ok(!pid.is_empty())
    })?;
    let process: u32 = pid.parse()?;
    cluster.signal("STOP", process)?;
    lease.revoke()?;
    let waiting = cluster.psql(&format!(
        "select state, pids from leasehold.await_ended(array['{}'], '500 ms')",
        lease.id
    ))?;
    cluster.signal("CONT", process)?;
    assert_eq!(waiting, format!("fenced|{{{pid}}}"));
    lease.wait_gone()?;
    assert_eq!(cluster.psql(unseen)?, "", "dropped before its backend");
    // The server may say that it is ready before it looks at the signal.
    if let Ok(mut session) = client.await? {
        assert!(sqlx::query("select 1").execute(&mut session).await.is_err());
    }
    Ok(())
}

/// A drop can miss a backend all the same (somebody drops the role by hand), and nobody else looks for one.
#[tokio::test]
async fn a_session_whose_user_is_gone_is_ended() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql("create role plain login password 'known'")?;
    let mut session = cluster.log_in("plain", "known").await?;
    cluster.psql("drop role plain")?;
    wait_until(SOON, "its session is ended", || {
        Ok(cluster.psql(
            "select count(*) from pg_stat_activity where backend_type = 'client backend' and usename is null",
        )? == "0")
    })?;
    assert!(sqlx::query("select 1").execute(&mut session).await.is_err());
    Ok(())
}

/// A storm of logins across the end of the lease.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_of_a_storm_of_logins_survives() -> Result<()> {
    let cluster = cluster()?;
    let lease = cluster.issue("reader", "3 seconds")?;
    let began = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..12 {
        let options = cluster.tcp(&lease.login, &lease.password, "postgres");
        clients.push(tokio::spawn(async move {
            let mut open = Vec::new();
            let mut last = began;
            while began.elapsed() < Duration::from_secs(6) {
                if let Ok(session) = PgConnection::connect_with(&options).await {
                    last = Instant::now();
                    open.push(session);
                    // A few of each, or the server is full.
                    if open.len() > 4 {
                        open.remove(0);
                    }
                }
            }
            (open, last)
        }));
    }
    let mut sessions = Vec::new();
    let mut last = began;
    for client in clients {
        let (open, at) = client.await?;
        sessions.extend(open);
        last = last.max(at);
    }
    ensure!(last > began, "nobody got in at all");
    // The lease was a moment old when the storm began; the rest is for clients that were told late.
    ensure!(
        last - began < Duration::from_millis(3_000 + 1_000),
        "somebody logged in {:?} after the beginning of three seconds",
        last - began
    );
    for mut session in sessions {
        assert!(sqlx::query("select 1").execute(&mut session).await.is_err());
    }
    lease.wait_gone()
}

/// A prepared transaction that only wrote rows holds nothing of the login: a drop would pass it by, and whoever may
/// could commit it afterwards.
#[test]
fn what_a_login_prepared_is_rolled_back() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql_in(
        "second",
        "create table ledger (x int); grant insert on ledger to readers",
    )?;
    let lease = cluster.issue("reader", "1 hour")?;
    cluster.psql_as(
        &lease.login,
        "second",
        "begin; insert into ledger values (1); prepare transaction 'later'",
    )?;
    lease.revoke()?;
    lease.wait_gone()?;
    assert_eq!(cluster.psql("select count(*) from pg_prepared_xacts")?, "0");
    assert_eq!(
        cluster.psql_in("second", "select count(*) from ledger")?,
        "0"
    );
    Ok(())
}

/// Only a superuser can take a mark off. The lease ends on time all the same: what still has the OID and the name is
/// fenced and its sessions are ended, and it is not dropped.
#[tokio::test]
async fn a_login_without_its_mark_is_fenced_and_stays() -> Result<()> {
    let cluster = cluster()?;
    for ends_itself in [false, true] {
        let ttl = if ends_itself { "3 seconds" } else { "1 hour" };
        let lease = cluster.issue("reader", ttl)?;
        let login = &lease.login;
        let mut session = cluster.log_in(login, &lease.password).await?;
        cluster.psql(&format!(
            "security label for leasehold on role \"{login}\" is null"
        ))?;
        if !ends_itself {
            assert_eq!(lease.revoke()?, "fenced");
        }
        lease.wait_fenced()?;
        wait_until(SOON, "its session is ended", || {
            Ok(cluster.psql(&format!(
                "select count(*) from pg_stat_activity where usename = '{login}'"
            ))? == "0")
        })?;
        assert!(sqlx::query("select 1").execute(&mut session).await.is_err());
        let armed = format!(
            "select rolcanlogin or rolpassword is not null from pg_authid where rolname = '{login}'"
        );
        assert_eq!(cluster.psql(&armed)?, "f");
        let reason = lease.columns("last_error")?;
        ensure!(reason.contains("lost the mark"), "{reason}");
        ensure!(!lease.is_gone()?, "it was dropped");
        cluster.psql(&format!("drop role \"{login}\""))?;
        lease.wait_gone()?;
    }
    Ok(())
}

/// A mark counts only together with the lease's row: a stranger that carries the mark of a lease stays as it is, and so
/// does whoever has a login's OID under another name and mark.
#[test]
fn a_mark_on_a_stranger_means_nothing() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql("create role victim login password 'known'")?;
    let lease = cluster.issue("reader", "1 hour")?;
    let other = cluster.issue("reader", "1 hour")?;
    let mark = |login: &str| {
        cluster.psql(&format!(
            "select label from pg_shseclabel where objoid = '\"{login}\"'::regrole and provider = 'leasehold'"
        ))
    };
    let (own, foreign) = (mark(&lease.login)?, mark(&other.login)?);
    cluster.psql(&format!(
        "security label for leasehold on role victim is '{own}'"
    ))?;
    lease.revoke()?;
    lease.wait_gone()?;
    let victim = "select rolcanlogin and rolpassword is not null from pg_authid where rolname = ";
    assert_eq!(cluster.psql(&format!("{victim}'victim'"))?, "t");
    cluster.psql("security label for leasehold on role victim is null")?;

    cluster.psql(&format!(
        "security label for leasehold on role \"{}\" is '{own}'",
        other.login
    ))?;
    other.revoke()?;
    let reason = other.columns("last_error")?;
    ensure!(reason.contains("not touched"), "{reason}");
    assert_eq!(cluster.psql(&format!("{victim}'{}'", other.login))?, "t");
    // Labelled again it ends as any other.
    cluster.psql(&format!(
        "security label for leasehold on role \"{}\" is '{foreign}'",
        other.login
    ))?;
    other.wait_gone()
}

/// A login that holds its own row is fenced also if its mark is gone.
#[tokio::test]
async fn a_login_without_its_mark_can_not_hold_off_its_end() -> Result<()> {
    let cluster = cluster()?;
    let lease = cluster.issue("reader", "2 seconds")?;
    let login = &lease.login;
    cluster.psql_as(
        login,
        "second",
        &format!("begin; alter role \"{login}\" password null; prepare transaction 'stay'"),
    )?;
    let mut session = cluster.connect_trusted(login, "second").await?;
    sqlx::raw_sql(AssertSqlSafe("begin; select 1".to_owned()))
        .execute(&mut session)
        .await?;
    cluster.psql(&format!(
        "security label for leasehold on role \"{login}\" is null"
    ))?;
    lease.wait_fenced()?;
    assert_eq!(cluster.psql("select count(*) from pg_prepared_xacts")?, "0");
    cluster.psql(&format!("drop role \"{login}\""))?;
    lease.wait_gone()
}
