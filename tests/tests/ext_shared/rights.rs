//! What shared logins may do: the same as logins with grants of their own, and no more.

use anyhow::{Result, ensure};
use leasehold_tests::{Cluster, Options};

use super::{ALL_TABLES, define, issue, may_read};

/// A bit of everything that can be granted, and a definer who owns some of it and may hand on other.
const WORLD: &str = r#"
    create role owner nologin; create role definer login; grant leasehold_definer, leasehold_issuer to definer;
    grant owner to definer;
    create schema app authorization owner; create schema "Other Schema"; create schema empty;
    create table public.t1 (a int, b int); create table public.t2 (a int); create view public.v1 as select 1 as x;
    create table "Other Schema"."odd ""name""" (a int); create sequence public.s1; create sequence public.s2;
    set role owner;
    create table app.t1 (a int, b int, c text); create table app.t2 (a int); create sequence app.s1;
    create function app.f1() returns int language sql as 'select 1';
    create procedure app.p1() language sql as 'select 1';
    create type app.mood as enum ('up', 'down'); create domain app.small as int;
    reset role;
    revoke execute on all routines in schema app from public; revoke usage on type app.mood from public;
    revoke connect, temporary on database postgres from public; grant connect on database postgres to definer;
    create foreign data wrapper w; create server srv foreign data wrapper w;
    create database elsewhere; revoke connect on database elsewhere from public;
    create table public.granted (a int, b int); grant select (a), update on public.granted to definer with grant option;
"#;

/// Who defines it, and what is granted. `@` stands for the login.
const GRANTS: [(&str, &str); 14] = [
    (
        "postgres",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO @",
    ),
    (
        "postgres",
        "GRANT ALL ON ALL TABLES IN SCHEMA public, app TO @; GRANT USAGE ON SCHEMA app TO @",
    ),
    (
        "postgres",
        "GRANT SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO @; GRANT ALL ON SEQUENCE app.s1 TO @",
    ),
    ("postgres", "GRANT ALL ON t1, s1 TO @"),
    (
        "postgres",
        "GRANT SELECT (a), UPDATE (b) ON t1 TO @; GRANT INSERT ON t2 TO @",
    ),
    (
        "postgres",
        "GRANT EXECUTE ON ALL ROUTINES IN SCHEMA app TO @",
    ),
    (
        "postgres",
        "GRANT EXECUTE ON FUNCTION app.f1() TO @; GRANT EXECUTE ON PROCEDURE app.p1() TO @",
    ),
    (
        "postgres",
        "GRANT CONNECT, TEMPORARY ON DATABASE postgres TO @; GRANT CONNECT ON DATABASE elsewhere TO @",
    ),
    (
        "postgres",
        "GRANT USAGE ON TYPE app.mood TO @; GRANT USAGE ON FOREIGN SERVER srv TO @; GRANT USAGE ON FOREIGN DATA WRAPPER w TO @",
    ),
    (
        "postgres",
        r#"GRANT SELECT ON "Other Schema"."odd ""name""" TO @; GRANT USAGE ON SCHEMA "Other Schema", empty TO @"#,
    ),
    (
        "postgres",
        "GRANT SELECT ON ALL TABLES IN SCHEMA empty TO @",
    ),
    (
        "definer",
        "GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA app TO @; GRANT USAGE ON SCHEMA app TO @",
    ),
    ("definer", "GRANT SELECT (a), UPDATE ON granted TO @"),
    (
        "definer",
        "GRANT SELECT (a) ON granted TO @; ALTER ROLE @ SET work_mem = '1MB'",
    ),
];

/// Everything that PostgreSQL says a login may do in a database, one line each, grant options too.
fn powers(cluster: &Cluster, database: &str, login: &str) -> Result<String> {
    let each =
        |kind: &str, words: &str, from: &str, shown: &str| {
            format!(
            "select '{kind} ' || {shown} || ' ' || w.p from {from}, unnest(array[{words}]) o (p),
                    unnest(array[o.p, o.p || ' with grant option']) w (p)
              where has_{kind}_privilege('{login}', {}, w.p)",
            if kind == "column" { "o2.attrelid, o2.attnum" } else { "o2.oid" }
        )
        };
    let relations = "'select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger'";
    let columns = "'select', 'insert', 'update', 'references'";
    let parts = [
        each("table", relations, "pg_class o2", "o2.oid::regclass").replace(
            " where ",
            " where o2.relkind in ('r', 'v', 'm', 'f', 'p') and ",
        ),
        each(
            "column",
            columns,
            "pg_attribute o2 join pg_class c on c.oid = o2.attrelid and c.relkind in ('r', 'v', 'm', 'f', 'p') and c.oid >= 16384",
            "o2.attrelid::regclass || '.' || o2.attname",
        ),
        each(
            "sequence",
            "'select', 'update', 'usage'",
            "pg_class o2",
            "o2.oid::regclass",
        )
        .replace(" where ", " where o2.relkind = 'S' and "),
        each(
            "function",
            "'execute'",
            "pg_proc o2",
            "o2.oid::regprocedure",
        ),
        each(
            "schema",
            "'usage', 'create'",
            "pg_namespace o2",
            "o2.nspname",
        ),
        each(
            "database",
            "'connect', 'create', 'temporary'",
            "pg_database o2",
            "o2.datname",
        ),
        each("type", "'usage'", "pg_type o2", "o2.oid::regtype"),
        each("tablespace", "'create'", "pg_tablespace o2", "o2.spcname"),
        each("server", "'usage'", "pg_foreign_server o2", "o2.srvname"),
        each(
            "foreign_data_wrapper",
            "'usage'",
            "pg_foreign_data_wrapper o2",
            "o2.fdwname",
        ),
        each("language", "'usage'", "pg_language o2", "o2.lanname"),
    ];
    cluster.psql_in(
        database,
        &format!(
            "select * from ({}) x (line) order by 1",
            parts.join(" union all ")
        ),
    )
}

/// Issues by both kinds of the recipe and compares; gives what the logins may do.
fn equal_powers(cluster: &Cluster, name: &str) -> Result<String> {
    let own = issue(cluster, &format!("{name}-own"))?;
    let shared = issue(cluster, &format!("{name}-shared"))?;
    let mut here = String::new();
    for database in ["postgres", "elsewhere"] {
        let (by_own, by_shared) = (
            powers(cluster, database, &own)?,
            powers(cluster, database, &shared)?,
        );
        ensure!(
            by_own == by_shared,
            "{name} in {database}: own\n{by_own}\nshared\n{by_shared}"
        );
        if database == "postgres" {
            here = by_own;
        }
    }
    Ok(here)
}

#[test]
fn a_shared_login_may_do_what_one_of_its_own_may() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql(WORLD)?;
    let nobody = cluster.psql("create role nobody; grant nobody to definer; select 'nobody'")?;
    let nothing = powers(&cluster, "postgres", &nobody)?;
    for (number, (definer, grants)) in GRANTS.iter().enumerate() {
        let name = format!("r{number}");
        define(&cluster, definer, &name, grants)?;
        let powers = equal_powers(&cluster, &name)?;
        ensure!(
            powers != nothing || grants.contains("SCHEMA empty TO"),
            "{grants} gave nothing"
        );
    }
    let kinds =
        cluster.psql("select grants, count(*) from leasehold.leases group by 1 order by 1")?;
    ensure!(
        kinds == format!("own|{0}\nshared|{0}", GRANTS.len()),
        "{kinds}"
    );

    // After changes of every kind that matters, the next logins are equal again.
    for change in [
        "create table public.later (a int); create sequence public.later_s; create view app.later as select 1 as x; alter view app.later owner to owner",
        "create function app.later() returns int language sql as 'select 2'; revoke execute on function app.later() from public; alter function app.later() owner to owner",
        "alter table public.t2 rename to t3; create table public.t2 (a int)",
        "alter table public.t3 set schema empty",
        "drop table public.t2; create table public.t2 (z int)",
        "alter table app.t2 owner to postgres; alter table app.t2 owner to owner",
        "alter table public.t1 add column c int; alter table public.t1 drop column c",
        "alter schema empty rename to full_; create schema empty; create table empty.x (a int)",
        "do $$ declare g text; begin for g in select group_role from leasehold.groups loop
            execute format('revoke all on all tables in schema public, app from %I', g);
            execute format('grant update on public.t1 to %I', g);
            execute format('grant usage on schema app to %I', g);
            execute format('grant create on schema empty to %I with grant option', g); end loop; end $$",
        "do $$ declare g text; begin for g in select group_role from leasehold.groups loop
            execute format('grant select (b) on public.granted to %I', g); end loop; end $$",
    ] {
        cluster.psql(change)?;
        for number in 0..GRANTS.len() {
            equal_powers(&cluster, &format!("r{number}"))
                .map_err(|error| error.context(change.to_owned()))?;
        }
    }
    Ok(())
}

#[test]
fn what_the_definer_may_not_grant_any_more_is_refused_to_both() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql(WORLD)?;
    cluster.psql("create table mine (a int); grant select on mine to definer with grant option")?;
    let refused = |role: &str| -> String {
        issue(&cluster, role).map_or_else(|e| format!("{e:#}"), |login| format!("issued {login}"))
    };
    for (name, grants, before, after) in [
        (
            "revoked",
            "GRANT SELECT ON mine TO @",
            "select 1",
            "revoke select on mine from definer cascade",
        ),
        (
            "member",
            "GRANT SELECT ON app.t1 TO @",
            "select 1",
            "revoke owner from definer",
        ),
        (
            "gone",
            "GRANT SELECT ON t1 TO @",
            "alter table t1 owner to definer",
            "drop table t1",
        ),
        (
            "super",
            "GRANT SELECT ON t2 TO @",
            "alter role definer superuser",
            "alter role definer nosuperuser",
        ),
    ] {
        cluster.psql(before)?;
        define(&cluster, "definer", name, grants)?;
        for kind in ["own", "shared"] {
            let first = refused(&format!("{name}-{kind}"));
            ensure!(first.starts_with("issued"), "{name}-{kind}: {first}");
        }
        cluster.psql(after)?;
        let (own, shared) = (
            refused(&format!("{name}-own")),
            refused(&format!("{name}-shared")),
        );
        let state = |text: &str| {
            text.split_once("ERROR:  ")
                .map(|(_, rest)| rest[..5].to_owned())
        };
        ensure!(
            state(&own).is_some() && state(&own) == state(&shared),
            "{name}: own {own}, shared {shared}"
        );
    }
    Ok(())
}

#[test]
fn a_change_is_met_once_and_not_by_every_issue() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql("create table t (a int)")?;
    define(&cluster, "postgres", "r", ALL_TABLES)?;
    let older = issue(&cluster, "r-shared")?;
    cluster.psql("create table later (a int)")?;
    let may = |login: &str| may_read(&cluster, login, "later");
    ensure!(!may(&older)?, "nobody has given it yet");
    // Tables that the recipe is not about change nothing, though the server tells of them.
    let applied = || cluster.psql("select applied_at, fingerprint from leasehold.shared_groups");
    let first = applied()?;
    let newer = issue(&cluster, "r-shared")?;
    ensure!(
        may(&newer)? && may(&older)?,
        "both have the table that came later"
    );
    let second = applied()?;
    ensure!(second != first, "it was not met");
    cluster.psql(
        "create schema s; create table s.x (a int); create temporary table z (a int); analyze",
    )?;
    for _ in 0..3 {
        issue(&cluster, "r-shared")?;
    }
    ensure!(applied()? == second, "what does not matter was met");
    Ok(())
}

#[test]
fn what_can_not_be_shared_says_why() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql("create table t (a int)")?;
    let check = |text: &str, why: &str| -> Result<()> {
        let define = format!(
            "select leasehold.define_role('x', creation_statements => array[$text${text}$text$], grants => 'shared')"
        );
        let error = format!("{:#}", cluster.psql(&define).expect_err(text));
        ensure!(
            error.contains("22023") && error.contains(why),
            "{text}: {error}"
        );
        ensure!(error.contains("HINT"), "{error}");
        Ok(())
    };
    let create = r#"CREATE ROLE "{{name}}" LOGIN; "#;
    for (text, why) in [
        (
            r#"GRANT SELECT ON t TO "{{name}}" WITH GRANT OPTION"#,
            "WITH GRANT OPTION",
        ),
        (
            r#"GRANT SELECT ON t TO "{{name}}", pg_monitor"#,
            "others than the login",
        ),
        (r#"GRANT SELECT ON t TO PUBLIC"#, "others than the login"),
        (
            r#"GRANT SELECT ON t TO "{{name}}" GRANTED BY CURRENT_USER"#,
            "GRANTED BY",
        ),
        (
            r#"GRANT SELECT ON "t_{{name}}" TO "{{name}}""#,
            "depends on the login's name",
        ),
        (
            r#"GRANT CREATE ON SCHEMA public TO "{{name}}""#,
            "CREATE would let",
        ),
        (
            r#"GRANT ALL ON SCHEMA public TO "{{name}}""#,
            "CREATE would let",
        ),
        (
            r#"GRANT ALL ON DATABASE postgres TO "{{name}}""#,
            "CREATE would let",
        ),
        (r#"REVOKE SELECT ON t FROM "{{name}}""#, "only plain grants"),
        (
            r#"DO $$ BEGIN GRANT SELECT ON t TO "{{name}}"; END $$"#,
            "only plain grants",
        ),
        (
            r#"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO "{{name}}""#,
            "only plain grants",
        ),
        (
            r#"SET search_path = x; GRANT SELECT ON t TO "{{name}}""#,
            "a SET would",
        ),
        (
            r#"GRANT USAGE ON LANGUAGE plpgsql TO "{{name}}""#,
            "not looked into",
        ),
        ("", "no grant on an object"),
    ] {
        check(&format!("{create}{text}"), why)?;
    }
    check(
        r#"CREATE ROLE "{{name}}" LOGIN NOINHERIT; GRANT SELECT ON t TO "{{name}}""#,
        "NOINHERIT",
    )?;
    check(
        r#"CREATE ROLE "{{name}}" LOGIN SUPERUSER; GRANT SELECT ON t TO "{{name}}""#,
        "only plain grants",
    )?;
    check(r#"GRANT SELECT ON t TO "{{name}}""#, "no plain CREATE ROLE")?;
    let none = cluster.psql("select count(*) from leasehold.roles")?;
    ensure!(none == "0", "one was defined");
    Ok(())
}

#[test]
fn a_member_can_not_turn_the_group_into_more() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql("create table t (a int); create role friend login")?;
    define(&cluster, "postgres", "r", "GRANT SELECT ON t TO @")?;
    let login = issue(&cluster, "r-shared")?;
    let group = cluster.psql("select group_role from leasehold.groups")?;
    for attempt in [
        format!("grant {group} to friend"),
        format!("set role {group}; grant {group} to friend"),
        format!("alter role {group} login"),
        format!("set role {group}; alter role {group} login"),
        format!("set role {group}; grant select on t to friend"),
        format!("set role {group}; create table public.mine (a int)"),
        format!("drop role {group}"),
        format!("security label for leasehold on role {group} is null"),
    ] {
        let tried = cluster.psql_as(&login, "postgres", &attempt);
        let may_warn = attempt.contains("grant select on t");
        ensure!(tried.is_err() || may_warn, "{attempt} succeeded");
    }
    // A password of a role that can not log in is no way in; and the friend has nothing.
    cluster.psql_as(
        &login,
        "postgres",
        &format!("set role {group}; alter role {group} password 'x'"),
    )?;
    ensure!(
        cluster.psql_as(&group, "postgres", "select 1").is_err(),
        "the group logs in"
    );
    ensure!(!may_read(&cluster, "friend", "t")?);
    Ok(())
}
