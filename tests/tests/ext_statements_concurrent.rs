//! Grants on one table by many at once. PostgreSQL fails the second of two with `tuple concurrently updated`, or
//! lets them deadlock; no caller of ours may ever see that, and a full access list must name itself.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Cluster, Options};
use sqlx::{Executor, Row};

const SESSIONS: usize = 8;
const ISSUES: usize = 25;

const TABLES: &str = "create table t1 (a int); create table t2 (a int); create table t3 (a int); create table t4 (a int);
    create function give(name text) returns void language plpgsql as
        $$ begin execute format('grant select on t2, t4, t1, t3 to %I', name); end $$";

/// Grants that can be seen, in a block, in another order, and in a function that nobody looks into.
const TEXTS: [&str; 4] = [
    r#"CREATE ROLE "{{name}}" LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{{name}}""#,
    r#"CREATE ROLE "{{name}}" LOGIN; DO $$ BEGIN GRANT SELECT ON t4, t3, t2, t1 TO "{{name}}"; END $$"#,
    r#"CREATE ROLE "{{name}}" LOGIN; GRANT SELECT ON t3 TO "{{name}}"; GRANT SELECT ON t1, t2, t4 TO "{{name}}""#,
    r#"CREATE ROLE "{{name}}" LOGIN; SELECT give('{{name}}')"#,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_a_collision() -> Result<()> {
    let cluster = Cluster::start(Options::default().set("deadlock_timeout", "100ms"))?;
    cluster.psql(TABLES)?;
    for (number, text) in TEXTS.iter().enumerate() {
        cluster.psql(&format!(
            "select leasehold.define_role('r{number}', creation_statements => array[$text${text}$text$])"
        ))?;
    }
    let mut tasks = Vec::new();
    for session in 0..SESSIONS {
        let mut connection = cluster.connect().await?;
        tasks.push(tokio::spawn(async move {
            for issue in 0..ISSUES {
                // Each session takes all of them in turn, and ends a third of what it makes at once, so that cleaning
                // takes part in the race.
                let role = format!("r{}", (session + issue) % TEXTS.len());
                let row = connection
                    .fetch_one(
                        sqlx::query("select lease_id from leasehold.issue($1, ttl => '1h')")
                            .bind(&role),
                    )
                    .await
                    .with_context(|| format!("session {session}, issue {issue} of {role}"))?;
                if issue % 3 == 0 {
                    let lease: String = row.get(0);
                    connection
                        .execute(sqlx::query("select leasehold.revoke($1)").bind(lease))
                        .await
                        .context("revoking")?;
                }
            }
            anyhow::Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    let missing = cluster.psql(
        "select count(*) from leasehold.leases l, unnest(array['t1', 't2', 't3', 't4']) t
          where l.state = 'active' and not has_table_privilege(l.login, t, 'select')",
    )?;
    assert_eq!(missing, "0", "every grant took effect");
    let live: i64 = cluster
        .value("select count(*) from leasehold.leases where state = 'active'")
        .await?;
    ensure!(
        live as usize >= SESSIONS * ISSUES / 2,
        "{live} leases are live"
    );
    Ok(())
}

#[test]
fn a_full_access_list_names_itself_and_the_cure() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql(
        "create table full_one (a int); create table beside (a int);
         do $$ begin
             for i in 1..3000 loop
                 begin
                     execute format('create role filler_%s', i);
                     execute format('grant select on full_one to filler_%s', i);
                 exception when program_limit_exceeded then exit;
                 end;
             end loop;
         end $$",
    )?;
    for (role, text) in [
        (
            "plain",
            r#"CREATE ROLE "{{name}}" LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{{name}}""#,
        ),
        (
            "block",
            r#"DO $$ BEGIN CREATE ROLE "{{name}}" LOGIN; GRANT SELECT ON full_one TO "{{name}}"; END $$"#,
        ),
    ] {
        cluster.psql(&format!(
            "select leasehold.define_role('{role}', creation_statements => array[$text${text}$text$])"
        ))?;
        let error = cluster
            .psql(&format!("select * from leasehold.issue('{role}')"))
            .expect_err("the list is full")
            .to_string();
        for word in ["LH010", "table public.full_one", "member_of"] {
            ensure!(error.contains(word), "want {word:?}: {error}");
        }
    }
    Ok(())
}
