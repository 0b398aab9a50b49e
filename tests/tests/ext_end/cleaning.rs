//! What a login leaves behind: what it was granted goes, what it owns is people's data, what the recipe says is done.

use anyhow::{Result, ensure};

use super::cluster;

/// `DROP OWNED` as a superuser removes what the owner of an object has granted. What a third party has granted stays,
/// and stopped the clean-up of others for ever; here it is revoked as the grantor that it names, and so is what the
/// login has granted on.
#[test]
fn everything_in_two_databases_is_cleaned_whoever_granted_it() -> Result<()> {
    let cluster = cluster()?;
    let lease = cluster.issue("reader", "1 hour")?;
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
    lease.revoke()?;
    lease.wait_gone()?;
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
    let lease = cluster.issue("reader", "1 hour")?;
    cluster.psql_as(
        &lease.login,
        "second",
        "create table public.precious (x int); insert into public.precious values (1)",
    )?;
    lease.revoke()?;
    let reason = lease.wait_reason()?;
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
    lease.wait_gone()?;
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
        let lease = cluster.issue(role, "1 hour")?;
        cluster.psql_as(
            &lease.login,
            "postgres",
            &format!("create table public.{table} (x int)"),
        )?;
        lease.revoke()?;
        lease.wait_gone()?;
    }
    assert_eq!(
        cluster.psql("select tablename, tableowner from pg_tables where tablename in ('left_behind', 'dropped')")?,
        "left_behind|bob"
    );
    Ok(())
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
    let polite = cluster.issue("polite", "1 hour")?;
    let broken = cluster.issue("broken", "1 hour")?;
    let blank = cluster.issue("blank", "1 hour")?;
    for lease in [&polite, &broken, &blank] {
        lease.revoke()?;
        lease.wait_gone()?;
        assert!(!cluster.has_role(&lease.login)?);
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
