//! Requests and transactions: asked twice, settled, prepared, rolled back, at once with others.

use anyhow::Result;
use leasehold_tests::{Options, sqlstate};
use std::time::Duration;

use super::{LOGINS, PENCIL, prepared};

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
    assert_eq!(sqlstate(issue("a/b/c", &other)), "LH007");
    assert_eq!(sqlstate(issue("a/b/c", "")), "LH007");
    issue("no/verifier", "")?;
    assert_eq!(sqlstate(issue("no/verifier", "")), "LH007");
    // What has ended is not given again.
    cluster.psql("select leasehold.revoke('a/b/c')")?;
    assert_eq!(sqlstate(issue("a/b/c", &mine)), "LH005");
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
        sqlstate(cluster.psql("select leasehold.issue('r', request_id => 'never')")),
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
        assert_eq!(sqlstate(result), "0A000", "{verb}");
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
        assert_eq!(sqlstate(result), "25006", "{verb}");
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
