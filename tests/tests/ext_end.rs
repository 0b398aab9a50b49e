//! The end of a lease: on time, for every session, in every database, whatever the login does against it.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Cluster, Options, wait_until};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::time::Duration;

/// Generous: the tests share two cores with each other. What the worker itself reaches is measured in the benches.
const SOON: Duration = Duration::from_secs(10);

/// A cluster with a group that may read a table, in two databases, and a recipe for it.
fn cluster() -> Result<Cluster> {
    cluster_with(Options::default())
}

fn cluster_with(options: Options) -> Result<Cluster> {
    let cluster = Cluster::start(options)?;
    cluster.create_database("second")?;
    cluster.psql(
        "create role readers; create role bob;
         create table public.secret (x int); insert into public.secret values (42);
         grant select on public.secret to readers;
         grant create on schema public to readers;
         select leasehold.define_role('reader', member_of => '{readers}')",
    )?;
    cluster.psql_in(
        "second",
        "create table public.secret (x int); grant create on schema public to readers",
    )?;
    Ok(cluster)
}

/// A lease as the tests use it.
struct Lease {
    id: String,
    login: String,
    password: String,
}

fn issue(cluster: &Cluster, role: &str, ttl: &str) -> Result<Lease> {
    let row = cluster.psql(&format!(
        "select lease_id, login, password from leasehold.issue('{role}', ttl => '{ttl}')"
    ))?;
    let mut parts = row.split('|').map(str::to_owned);
    let mut next = || parts.next().context("three columns");
    Ok(Lease {
        id: next()?,
        login: next()?,
        password: next()?,
    })
}

fn revoke(cluster: &Cluster, lease: &Lease) -> Result<String> {
    cluster.psql(&format!("select leasehold.revoke('{}')", lease.id))
}

fn wait_gone(cluster: &Cluster, lease: &Lease) -> Result<()> {
    wait_until(SOON, "the lease is gone", || {
        let query = format!(
            "select 1 from leasehold.history where lease_id = '{}'",
            lease.id
        );
        Ok(!cluster.psql(&query)?.is_empty())
    })
    .with_context(|| {
        let query = format!(
            "select state, attempts, last_error from leasehold.leases where lease_id = '{}'",
            lease.id
        );
        cluster.psql(&query).unwrap_or_default()
    })
}

/// The reason why a fenced lease stays, once it says one.
fn wait_reason(cluster: &Cluster, lease: &Lease) -> Result<String> {
    let mut reason = String::new();
    wait_until(SOON, "the lease says why it stays", || {
        reason = cluster.psql(&format!(
            "select last_error from leasehold.leases where lease_id = '{}' and state = 'fenced'",
            lease.id
        ))?;
        Ok(!reason.is_empty())
    })?;
    Ok(reason)
}

fn roles_named(cluster: &Cluster, login: &str) -> Result<String> {
    cluster.psql(&format!(
        "select count(*) from pg_roles where rolname = '{login}'"
    ))
}

/// Runs a statement in a session of the login, without waiting for its end.
async fn session(cluster: &Cluster, lease: &Lease, database: &str) -> Result<PgConnection> {
    Ok(PgConnection::connect_with(&cluster.tcp(&lease.login, &lease.password, database)).await?)
}

async fn run(session: &mut PgConnection, text: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned()))
        .execute(session)
        .await
        .with_context(|| text.to_owned())?;
    Ok(())
}

#[tokio::test]
async fn a_lease_ends_on_time_with_all_its_sessions() -> Result<()> {
    let cluster = cluster()?;
    let lease = issue(&cluster, "reader", "2 seconds")?;
    let mut idle = session(&cluster, &lease, "postgres").await?;
    let mut changed = session(&cluster, &lease, "postgres").await?;
    let mut elsewhere = session(&cluster, &lease, "second").await?;
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

    wait_gone(&cluster, &lease)?;
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
    let lease = issue(&cluster, "reader", "1 hour")?;
    let mut open = session(&cluster, &lease, "postgres").await?;
    assert_eq!(revoke(&cluster, &lease)?, "fenced");
    assert!(cluster.log_in(&lease.login, &lease.password).await.is_err());
    let row = cluster.psql(&format!(
        "select * from leasehold.await_ended(array['{}'])",
        lease.id
    ))?;
    assert_eq!(row, format!("{}|gone|{{}}|", lease.id));
    assert!(run(&mut open, "select 1").await.is_err());
    assert_eq!(roles_named(&cluster, &lease.login)?, "0");
    assert_eq!(
        cluster.psql("select cause from leasehold.history")?,
        "revoked"
    );
    // Again is no error.
    assert_eq!(revoke(&cluster, &lease)?, "gone");
    Ok(())
}

/// `DROP OWNED` as a superuser removes what the owner of an object has granted. What a third party has granted stays,
/// and stopped the clean-up of others for ever; here it is revoked as the grantor that it names, and so is what the
/// login has granted on.
#[test]
fn everything_in_two_databases_is_cleaned_whoever_granted_it() -> Result<()> {
    let cluster = cluster()?;
    let lease = issue(&cluster, "reader", "1 hour")?;
    let login = &lease.login;
    cluster.psql(&format!(
        "create role va; create table public.pt (a int, b int); create sequence public.ps;
         grant select on public.pt to va with grant option; grant usage on sequence public.ps to va with grant option;
         grant connect on database second to va with grant option;
         grant select on public.pt to \"{login}\"; grant select (a) on public.pt to \"{login}\";
         grant set on parameter work_mem to \"{login}\"; grant usage on language sql to \"{login}\";
         set role va; grant select on public.pt to \"{login}\" with grant option;
         grant usage on sequence public.ps to \"{login}\"; grant connect on database second to \"{login}\" with grant option;
         set role \"{login}\"; grant select on public.pt to bob; grant connect on database second to bob; reset role"
    ))?;
    cluster.psql_in(
        "second",
        &format!(
            "create table public.d (a int); create schema s; create function public.f() returns int language sql as 'select 1';
             create type public.ty as (a int); grant usage on type public.ty to \"{login}\"; select lo_create(4711);
             grant select on large object 4711 to va with grant option;
             grant select on public.d to va with grant option; grant usage on schema s to va with grant option;
             grant execute on function public.f() to va with grant option;
             grant all on public.d to \"{login}\";
             set role va; grant select on public.d to \"{login}\" with grant option; grant usage on schema s to \"{login}\";
             grant execute on function public.f() to \"{login}\"; grant select on large object 4711 to \"{login}\"; reset role;
             alter default privileges for role \"{login}\" grant select on tables to bob;
             alter default privileges grant select on tables to \"{login}\";
             create policy alone on public.d to \"{login}\" using (true);
             create policy shared on public.d to \"{login}\", bob using (true);
             create foreign data wrapper w; create server srv foreign data wrapper w;
             create user mapping for \"{login}\" server srv; grant usage on foreign server srv to \"{login}\""
        ),
    )?;
    revoke(&cluster, &lease)?;
    wait_gone(&cluster, &lease)?;
    assert_eq!(
        cluster.psql(
            "select count(*) from pg_shdepend d where d.refclassid = 'pg_authid'::regclass
        and not exists (select from pg_authid a where a.oid = d.refobjid)"
        )?,
        "0"
    );
    assert_eq!(
        cluster.psql("select relacl from pg_class where relname = 'pt'")?,
        "{postgres=arwdDxt/postgres,va=r*/postgres}"
    );
    assert_eq!(
        cluster.psql("select datacl from pg_database where datname = 'second'")?,
        "{=Tc/postgres,postgres=CTc/postgres,va=c*/postgres}"
    );
    assert_eq!(
        cluster.psql_in("second", "select relacl from pg_class where relname = 'd'")?,
        "{postgres=arwdDxt/postgres,va=r*/postgres}"
    );
    assert_eq!(
        cluster.psql_in(
            "second",
            "select polname, polroles::regrole[] from pg_policy"
        )?,
        "shared|{bob}"
    );
    assert_eq!(
        cluster.psql_in("second", "select count(*) from pg_default_acl")?,
        "0"
    );
    assert_eq!(
        cluster.psql_in("second", "select count(*) from pg_user_mappings")?,
        "0"
    );
    assert_eq!(
        cluster.psql_in("second", "select lomacl from pg_largeobject_metadata")?,
        "{postgres=rw/postgres,va=r*/postgres}"
    );
    Ok(())
}

#[test]
fn what_a_login_owns_stays_with_a_reason_until_somebody_decides() -> Result<()> {
    let cluster = cluster()?;
    let lease = issue(&cluster, "reader", "1 hour")?;
    cluster.psql_as(
        &lease.login,
        "second",
        "create table public.precious (x int); insert into public.precious values (1)",
    )?;
    revoke(&cluster, &lease)?;
    let reason = wait_reason(&cluster, &lease)?;
    ensure!(
        reason.contains("database \"second\"") && reason.contains("table public.precious"),
        "{reason}"
    );
    ensure!(
        reason.contains("reassign owned") && reason.contains("drop owned"),
        "{reason}"
    );
    assert_eq!(
        cluster.psql_in("second", "select x from public.precious")?,
        "1"
    );
    let fenced = cluster.psql(&format!(
        "select rolcanlogin, rolpassword is null from pg_authid where rolname = '{}'",
        lease.login
    ))?;
    assert_eq!(fenced, "f|t");

    cluster.psql_in(
        "second",
        &format!("reassign owned by \"{}\" to bob", lease.login),
    )?;
    wait_gone(&cluster, &lease)?;
    assert_eq!(
        cluster.psql_in(
            "second",
            "select tableowner from pg_tables where tablename = 'precious'"
        )?,
        "bob"
    );
    Ok(())
}

#[test]
fn a_recipe_says_what_becomes_of_what_its_logins_own() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql(
        "grant create on schema public to bob;
         select leasehold.define_role('leaver', member_of => '{readers,bob}', reassign_to => 'bob');
         select leasehold.define_role('cleaner', member_of => '{readers}', drop_owned => true)",
    )?;
    for (role, table) in [("leaver", "left_behind"), ("cleaner", "dropped")] {
        let lease = issue(&cluster, role, "1 hour")?;
        cluster.psql_as(
            &lease.login,
            "postgres",
            &format!("create table public.{table} (x int)"),
        )?;
        revoke(&cluster, &lease)?;
        wait_gone(&cluster, &lease)?;
    }
    assert_eq!(
        cluster.psql("select tablename, tableowner from pg_tables where tablename in ('left_behind', 'dropped')")?,
        "left_behind|bob"
    );
    Ok(())
}

/// A login may change its own password, and while that transaction is open nobody can fence it: its own row is locked.
/// Prepared, the lock even outlives the session.
#[tokio::test]
async fn a_login_can_not_hold_off_its_own_end() -> Result<()> {
    let cluster = cluster()?;
    let open = issue(&cluster, "reader", "2 seconds")?;
    let mut holder = session(&cluster, &open, "postgres").await?;
    run(
        &mut holder,
        &format!("begin; alter role \"{}\" password null", open.login),
    )
    .await?;

    let prepared = issue(&cluster, "reader", "2 seconds")?;
    cluster.psql_as(
        &prepared.login,
        "second",
        &format!(
            "begin; alter role \"{}\" password null; prepare transaction 'stay'",
            prepared.login
        ),
    )?;
    let owner = issue(&cluster, "reader", "2 seconds")?;
    cluster.psql_as(
        &owner.login,
        "second",
        "begin; create table public.t9 (a int); prepare transaction 'own'",
    )?;

    for lease in [&open, &prepared, &owner] {
        wait_gone(&cluster, lease)?;
    }
    assert_eq!(cluster.psql("select count(*) from pg_prepared_xacts")?, "0");
    let late = cluster.psql(
        "select bool_and(fenced_at - expires_at < interval '2 seconds') from leasehold.history",
    )?;
    assert_eq!(late, "t");
    Ok(())
}

/// Whoever calls `renew` and then sits in its transaction holds the lease's row; the lease ends all the same.
#[tokio::test]
async fn a_caller_who_idles_after_a_verb_does_not_hold_off_the_end() -> Result<()> {
    let cluster = cluster()?;
    let lease = issue(&cluster, "reader", "2 seconds")?;
    let mut open = session(&cluster, &lease, "postgres").await?;
    let mut caller = cluster.connect().await?;
    run(
        &mut caller,
        &format!(
            "begin; select leasehold.renew('{}', ttl => '1 hour')",
            lease.id
        ),
    )
    .await?;
    wait_gone(&cluster, &lease)?;
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
    let lease = issue(&cluster, "reader", "1 hour")?;
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
    revoke(&cluster, &lease)?;
    let refused = cluster
        .psql_as("mallory", "postgres", "select public.leak()")
        .expect_err("nothing is lent");
    ensure!(
        refused.to_string().contains("permission denied"),
        "{refused:#}"
    );
    wait_reason(&cluster, &lease)?;
    cluster.psql(&format!("drop owned by \"{}\"", lease.login))?;
    wait_gone(&cluster, &lease)
}

#[test]
fn ending_statements_run_once_and_never_stop_the_end() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql(
        "create table public.farewell (name text);
         select leasehold.define_role('polite', member_of => '{readers}',
            revocation_statements => array[$$insert into public.farewell values ('{{name}}')$$]);
         select leasehold.define_role('broken', member_of => '{readers}',
            revocation_statements => array[$$insert into public.farewell values ('half'); select 1 / 0$$]);
         select leasehold.define_role('blank', member_of => '{readers}', revocation_statements => array['', ' ; '])",
    )?;
    let polite = issue(&cluster, "polite", "1 hour")?;
    let broken = issue(&cluster, "broken", "1 hour")?;
    let blank = issue(&cluster, "blank", "1 hour")?;
    for lease in [&polite, &broken, &blank] {
        revoke(&cluster, lease)?;
        wait_gone(&cluster, lease)?;
        assert_eq!(roles_named(&cluster, &lease.login)?, "0");
    }
    assert_eq!(
        cluster.psql("select name from public.farewell")?,
        polite.login
    );
    let error = cluster.psql("select last_error from leasehold.history where role = 'broken'")?;
    ensure!(
        error.contains("ending statements") && error.contains("division by zero"),
        "{error}"
    );
    Ok(())
}

/// A login is known by its OID and its mark, never by its name.
#[test]
fn a_renamed_login_is_still_ours_and_a_namesake_is_not() -> Result<()> {
    let cluster = cluster()?;
    let renamed = issue(&cluster, "reader", "1 hour")?;
    let dropped = issue(&cluster, "reader", "1 hour")?;
    cluster.psql(&format!(
        "alter role \"{}\" rename to somebody; drop role \"{}\"; create role \"{}\" login",
        renamed.login, dropped.login, dropped.login
    ))?;
    for lease in [&renamed, &dropped] {
        revoke(&cluster, lease)?;
        wait_gone(&cluster, lease)?;
    }
    assert_eq!(roles_named(&cluster, "somebody")?, "0");
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
fn waiting_is_a_statement_of_its_own() -> Result<()> {
    let cluster = cluster()?;
    let lease = issue(&cluster, "reader", "1 hour")?;
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

#[test]
fn the_extension_stays_while_a_lease_lives() -> Result<()> {
    for options in [Options::default(), Options::default().without_preload()] {
        let cluster = cluster_with(options)?;
        let lease = issue(&cluster, "reader", "1 hour")?;
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
        revoke(&cluster, &lease)?;
        cluster.psql("select leasehold.sweep()")?;
        cluster.psql("select leasehold.sweep()")?;
        wait_gone(&cluster, &lease)?;
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
    let lease = issue(&cluster, "reader", "1 hour")?;
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

/// Without preload there is no worker: `VALID UNTIL` stops the password, and `sweep` does the rest when it is called.
#[tokio::test]
async fn without_preload_sweep_ends_what_is_due() -> Result<()> {
    let cluster = cluster_with(Options::default().without_preload())?;
    assert_eq!(
        cluster.psql("select preloaded, enforced from leasehold.heartbeat()")?,
        "f|f"
    );
    let lease = issue(&cluster, "reader", "1 second")?;
    cluster.psql(&format!(
        "grant select on public.secret to \"{}\"",
        lease.login
    ))?;
    let mut open = session(&cluster, &lease, "postgres").await?;
    run(&mut open, "select 1").await?;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert!(
        cluster.log_in(&lease.login, &lease.password).await.is_err(),
        "the password has run out"
    );
    wait_until(SOON, "sweeping ends the lease", || {
        cluster.psql("select leasehold.sweep()")?;
        Ok(cluster.psql("select count(*) from leasehold.leases")? == "0")
    })?;
    assert!(run(&mut open, "select 1").await.is_err());
    assert_eq!(roles_named(&cluster, &lease.login)?, "0");
    Ok(())
}
