//! The life of a group: made once, whoever comes, for no cost a login; kept as long as something needs it, restored with
//! its rows, and gone in the end.

use anyhow::{Result, ensure};
use leasehold_tests::{Cluster, Options, Stop, wait_until};
use sqlx::Executor;
use std::time::Duration;

use super::{ALL_TABLES, CREATE, VERIFIER, define, issue, may_read};

#[test]
fn a_login_costs_the_access_lists_nothing() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql("create table t (a int); create table u (a int)")?;
    define(&cluster, "postgres", "r", ALL_TABLES)?;
    issue(&cluster, "r-shared")?;
    let state = "select array_agg((c.oid, c.xmin, array_length(c.relacl, 1)) order by c.oid), (select applied_at from leasehold.groups)
                   from pg_class c where c.relname in ('t', 'u')";
    let before = cluster.psql(state)?;
    // More than an access list can hold: the own kind ends at 2,443 of them.
    const MANY: usize = 2_600;
    for _ in 0..MANY / 200 {
        cluster.psql(&format!(
            "select count(*) from (select leasehold.issue('r-shared', verifier => '{VERIFIER}') from generate_series(1, 200)) x"
        ))?;
    }
    ensure!(
        cluster.psql(state)? == before,
        "issues have rewritten access lists"
    );
    let depends =
        "select count(*) from pg_shdepend d join leasehold.leases l on l.login_oid = d.refobjid";
    ensure!(cluster.psql(depends)? == "0", "logins are in access lists");
    let last = issue(&cluster, "r-shared")?;
    ensure!(may_read(&cluster, &last, "u")?);
    ensure!(
        cluster.psql("select logins, current from leasehold.groups")? == format!("{}|t", MANY + 2)
    );
    Ok(())
}

const GROUPS: &str = "select count(*) from pg_shseclabel where label like 'shared/%'";

fn no_group_is_left(cluster: &Cluster) -> Result<()> {
    wait_until(Duration::from_secs(30), "the groups are gone", || {
        Ok(cluster.psql(GROUPS)? == "0")
    })
    .map_err(
        |error| match cluster.psql("select * from leasehold.groups") {
            Ok(groups) => error.context(groups),
            Err(_) => error,
        },
    )?;
    ensure!(cluster.psql("select count(*) from leasehold.groups")? == "0");
    Ok(())
}

#[test]
fn a_group_lives_as_long_as_something_needs_it() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql("create table t (a int); create table u (a int)")?;
    cluster.create_database("elsewhere")?;
    define(&cluster, "postgres", "r", "GRANT SELECT ON t TO @")?;
    let older = issue(&cluster, "r-shared")?;
    let group = cluster.psql("select group_role from leasehold.groups")?;
    cluster.psql_in(
        "elsewhere",
        &format!("create table x (a int); grant select on x to {group}"),
    )?;

    // Another text, another group: the login of the first keeps what it has.
    define(&cluster, "postgres", "r", "GRANT SELECT ON u TO @")?;
    let newer = issue(&cluster, "r-shared")?;
    let may = |login: &str, table: &str| may_read(&cluster, login, table);
    let seen = [
        may(&older, "t")?,
        may(&older, "u")?,
        may(&newer, "t")?,
        may(&newer, "u")?,
    ];
    ensure!(seen == [true, false, false, true], "{seen:?}");
    std::thread::sleep(Duration::from_secs(2));
    ensure!(
        cluster.psql(GROUPS)? == "2",
        "a group went while its login lives"
    );
    ensure!(may(&older, "t")?);

    cluster.psql(&format!(
        "select leasehold.revoke(lease_id) from leasehold.leases where login = '{older}'"
    ))?;
    wait_until(Duration::from_secs(30), "the first group is gone", || {
        Ok(cluster.psql(GROUPS)? == "1")
    })?;
    ensure!(may(&newer, "u")?, "the other's login has lost what it had");

    cluster.psql("select leasehold.drop_role('r-shared'), leasehold.drop_role('r-own')")?;
    std::thread::sleep(Duration::from_secs(2));
    ensure!(may(&newer, "u")?, "the recipe is gone, its login lives");
    cluster.psql("select leasehold.revoke_prefix('')")?;
    no_group_is_left(&cluster)?;
    let left = cluster.psql(
        "select count(*) from pg_shdepend d where d.refclassid = 'pg_authid'::regclass
                               and not exists (select from pg_authid a where a.oid = d.refobjid)",
    )?;
    ensure!(left == "0", "litter");

    // Defined again: it begins anew.
    define(&cluster, "postgres", "r", "GRANT SELECT ON u TO @")?;
    ensure!(may(&issue(&cluster, "r-shared")?, "u")?);
    Ok(())
}

/// An issue under way is in nobody's sight, and the recipe goes meanwhile: the group keeps what its new login was promised.
#[tokio::test]
async fn a_group_keeps_its_grants_while_an_issue_is_under_way() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql("create table t (a int)")?;
    define(&cluster, "postgres", "r", "GRANT SELECT ON t TO @")?;
    issue(&cluster, "r-shared")?;
    cluster.psql("select leasehold.revoke_prefix('')")?;
    let mut issuing = cluster.connect().await?;
    sqlx::raw_sql("begin").execute(&mut issuing).await?;
    let login: String =
        sqlx::query_scalar("select login from leasehold.issue('r-shared', verifier => $1)")
            .bind(VERIFIER)
            .fetch_one(&mut issuing)
            .await?;
    cluster.psql("select leasehold.drop_role('r-shared')")?;
    wait_until(Duration::from_secs(30), "it was to be removed", || {
        let groups = "select count(*) from leasehold.groups where last_error is not null";
        Ok(cluster.psql(groups)? == "1" || cluster.psql(GROUPS)? == "0")
    })?;
    sqlx::raw_sql("commit").execute(&mut issuing).await?;
    ensure!(may_read(&cluster, &login, "t")?, "the login has nothing");
    std::thread::sleep(Duration::from_secs(2));
    ensure!(may_read(&cluster, &login, "t")?, "the login has lost it");
    cluster.psql("select leasehold.revoke_prefix('')")?;
    no_group_is_left(&cluster)
}

#[test]
fn a_group_that_owns_something_stays_and_says_so() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql("create table t (a int); create table theirs (a int)")?;
    define(&cluster, "postgres", "r", "GRANT SELECT ON t TO @")?;
    issue(&cluster, "r-shared")?;
    let group = cluster.psql("select group_role from leasehold.groups")?;
    cluster.psql(&format!("alter table theirs owner to {group}; select leasehold.drop_role('r-shared'); select leasehold.revoke_prefix('')"))?;
    wait_until(Duration::from_secs(30), "it says what keeps it", || {
        let said = cluster.psql("select last_error from leasehold.groups")?;
        Ok(said.contains("it owns table public.theirs"))
    })?;
    cluster.psql("alter table theirs owner to postgres; update leasehold.shared_groups set next_attempt_at = now()")?;
    no_group_is_left(&cluster)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_issue_at_once_and_one_group_is_made() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql("create table t0 (a int)")?;
    define(&cluster, "postgres", "r", ALL_TABLES)?;
    let mut tasks = Vec::new();
    for session in 0..8 {
        let mut connection = cluster.connect().await?;
        tasks.push(tokio::spawn(async move {
            for round in 0..20 {
                if session == 0 {
                    let table = format!("create table more{round} (a int)");
                    connection
                        .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(table)))
                        .await?;
                }
                connection
                    .execute(
                        sqlx::query(
                            "select login from leasehold.issue('r-shared', verifier => $1)",
                        )
                        .bind(VERIFIER),
                    )
                    .await?;
            }
            anyhow::Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    ensure!(cluster.psql("select count(*), min(logins) from leasehold.groups")? == "1|160");
    let last = issue(&cluster, "r-shared")?;
    let missing = cluster.psql(&format!(
        "select count(*) from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and not has_table_privilege('{last}', oid, 'select')"
    ))?;
    ensure!(missing == "0", "{missing} tables are missing");
    Ok(())
}

/// A dump carries groups, their grants and their rows; on the copy every OID is another one.
#[test]
fn a_restored_cluster_finds_its_groups_again() -> Result<()> {
    let bare = || Options {
        extension: false,
        ..Options::default()
    };
    let original = Cluster::start(bare())?;
    original.create_database("app")?;
    let text = format!("{CREATE} GRANT SELECT ON t TO \"{{{{name}}}}\"");
    original.psql_in(
        "app",
        &format!("create extension leasehold; create table t (a int); select leasehold.define_role('r', creation_statements => array[$text${text}$text$], grants => 'shared')"),
    )?;
    let issue = |cluster: &Cluster| {
        cluster.psql_in(
            "app",
            &format!("select login from leasehold.issue('r', verifier => '{VERIFIER}')"),
        )
    };
    let before = issue(&original)?;
    let group = original.psql_in("app", "select group_role from leasehold.groups")?;
    let dump = original.dump()?;
    original.stop(Stop::Fast)?;

    let copy = Cluster::start(bare())?;
    copy.psql("create role shifts_every_oid; create role once_more")?;
    copy.psql(&dump)?;
    copy.wait_enforced("app")?;

    wait_until(
        Duration::from_secs(30),
        "leases have their logins again",
        || Ok(copy.psql_in("app", "select count(*) from leasehold.check()")? == "0"),
    )?;
    let after = issue(&copy)?;
    let may_read = |login: &str| -> Result<bool> {
        let question = format!("select has_table_privilege('{login}', 't', 'select')");
        Ok(copy.psql_in("app", &question)? == "t")
    };
    for login in [&before, &after] {
        ensure!(may_read(login)?, "{login} may not read");
    }
    let seen = copy.psql_in("app", "select group_role, logins from leasehold.groups")?;
    ensure!(seen == format!("{group}|2"), "{seen}");

    // A group that was dropped by hand is made anew.
    copy.psql_in("app", &format!("drop owned by {group}; drop role {group}"))?;
    ensure!(may_read(&issue(&copy)?)?);
    Ok(())
}

/// The database of a shared recipe is dropped: its group is nobody's, loses its members at once, and goes after a day.
#[test]
fn the_group_of_a_dropped_database_goes() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.create_database("doomed")?;
    cluster.psql("create table here (a int)")?;
    let text = format!("{CREATE} GRANT CONNECT ON DATABASE postgres TO \"{{{{name}}}}\"");
    cluster.psql_in(
        "doomed",
        &format!(
            "create extension leasehold; select leasehold.define_role('r', creation_statements => array[$text${text}$text$], grants => 'shared');
             select login from leasehold.issue('r', verifier => '{VERIFIER}')"
        ),
    )?;
    let group = cluster.psql_in("doomed", "select group_role from leasehold.groups")?;
    cluster.psql(&format!(
        "grant select on here to {group}; drop database doomed with (force)"
    ))?;
    let members = format!("select count(*) from pg_auth_members where roleid = '{group}'::regrole");
    wait_until(Duration::from_secs(30), "nobody is its member", || {
        Ok(cluster.psql(&members)? == "0")
    })?;
    let orphans = cluster.psql("select reason, count(*) from leasehold.orphans group by reason")?;
    ensure!(orphans == "installation unknown|2", "{orphans}");
    // The fence is dated in VALID UNTIL; a restart looks at once.
    wait_until(Duration::from_secs(30), "it is dated", || {
        Ok(cluster.psql(&format!(
            "select count(*) from pg_authid where rolname = '{group}' and rolvaliduntil is not null"
        ))? == "1")
    })?;
    cluster.psql(&format!(
        "update pg_authid set rolvaliduntil = now() - interval '25 hours' where rolname = '{group}'"
    ))?;
    cluster.restart()?;
    wait_until(Duration::from_secs(30), "it is dropped", || {
        Ok(cluster.psql(&format!(
            "select count(*) from pg_roles where rolname = '{group}'"
        ))? == "0")
    })
}
