//! The harness itself: clusters come, restart and go.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Cluster, Options, Stop, wait_until};
use std::time::Duration;

/// Without the extension, so that this tells a broken harness from a broken extension.
fn bare() -> Options {
    Options {
        preload: Vec::new(),
        extension: false,
        ..Options::default()
    }
}

#[tokio::test]
async fn cluster_starts_restarts_and_crashes() -> Result<()> {
    let cluster = Cluster::start(bare().set("log_statement", "all"))?;
    cluster
        .sql("create table t (n int); insert into t values (1)")
        .await?;
    cluster.restart()?;
    cluster.crash()?;
    assert_eq!(cluster.value::<i32>("select n from t").await?, 1);
    assert_eq!(cluster.psql("select n, n + 1 from t")?, "1|2");

    let mut session = cluster.connect().await?;
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()")
        .fetch_one(&mut session)
        .await?;
    cluster.kill_process(u32::try_from(pid)?)?;
    assert!(sqlx::query("select 1").execute(&mut session).await.is_err());
    assert_eq!(cluster.value::<i32>("select n from t").await?, 1);
    assert!(cluster.log()?.contains("select n from t"));

    cluster.stop(Stop::Fast)?;
    assert!(!cluster.running());
    Ok(())
}

#[tokio::test]
async fn logins_are_asked_for_their_password() -> Result<()> {
    let cluster = Cluster::start(bare())?;
    cluster.create_database("second")?;
    cluster.psql("create role app login password 'right'")?;
    let mut session = cluster.log_in("app", "right").await?;
    let user: String = sqlx::query_scalar("select current_user::text")
        .fetch_one(&mut session)
        .await?;
    assert_eq!(user, "app");
    let refused = cluster
        .log_in("app", "wrong")
        .await
        .expect_err("a wrong password");
    let code = refused
        .as_database_error()
        .and_then(|e| e.code())
        .map(|c| c.into_owned());
    assert_eq!(code.as_deref(), Some("28P01"));
    assert_eq!(
        cluster.psql_as("app", "second", "select current_database()")?,
        "second"
    );
    let error = cluster
        .psql("select 1/0")
        .expect_err("an error")
        .to_string();
    assert!(error.contains("22012"), "{error}");
    Ok(())
}

#[test]
fn a_test_fails_when_a_worker_s_step_has() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql("alter table leasehold.live_leases rename to elsewhere")?;
    cluster.restart()?;
    wait_until(Duration::from_secs(20), "a worker misses its table", || {
        Ok(cluster.log()?.contains("(42P01)"))
    })?;
    cluster.psql("alter table leasehold.elsewhere rename to live_leases")?;
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(cluster)));
    let why = dropped.err().context("the test would have passed")?;
    let why = why.downcast_ref::<String>().context("a text")?;
    ensure!(
        why.contains("the log of PostgreSQL says") && why.contains("(42P01)"),
        "{why}"
    );
    Ok(())
}
