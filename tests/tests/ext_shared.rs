//! Shared grants: a recipe whose grants a group of its own holds gives its logins the same rights as one whose logins
//! hold them, now and after every change, costs the catalogs nothing for each login, and leaves nothing behind.

use anyhow::{Result, ensure};
use leasehold_tests::{Cluster, Options, Stop, wait_until};
use sqlx::Executor;
use std::time::Duration;

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

const CREATE: &str = r#"CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' INHERIT;"#;

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

/// Defines `name` twice, with grants of each kind.
fn define(cluster: &Cluster, definer: &str, name: &str, grants: &str) -> Result<()> {
    for kind in ["own", "shared"] {
        let text = format!("{CREATE} {}", grants.replace('@', "\"{{name}}\""));
        cluster.psql_as(
            definer,
            "postgres",
            &format!("select leasehold.define_role('{name}-{kind}', creation_statements => array[$text${text}$text$], grants => '{kind}')"),
        )?;
    }
    Ok(())
}

fn issue(cluster: &Cluster, role: &str) -> Result<String> {
    cluster.psql(&format!(
        "select login from leasehold.issue('{role}', verifier => '{VERIFIER}')"
    ))
}

/// A password that nobody needs: the server does not have to derive one.
const VERIFIER: &str = "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

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
fn a_login_costs_the_access_lists_nothing() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql("create table t (a int); create table u (a int)")?;
    define(
        &cluster,
        "postgres",
        "r",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO @",
    )?;
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
    ensure!(
        cluster.psql(&format!(
            "select has_table_privilege('{last}', 'u', 'select')"
        ))? == "t"
    );
    ensure!(
        cluster.psql("select logins, current from leasehold.groups")? == format!("{}|t", MANY + 2)
    );
    Ok(())
}

#[test]
fn a_change_is_met_once_and_not_by_every_issue() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql("create table t (a int)")?;
    define(
        &cluster,
        "postgres",
        "r",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO @",
    )?;
    let older = issue(&cluster, "r-shared")?;
    cluster.psql("create table later (a int)")?;
    let may = |login: &str| {
        cluster.psql(&format!(
            "select has_table_privilege('{login}', 'later', 'select')"
        ))
    };
    ensure!(may(&older)? == "f", "nobody has given it yet");
    // Tables that the recipe is not about change nothing, though the server tells of them.
    let applied = || cluster.psql("select applied_at, fingerprint from leasehold.shared_groups");
    let first = applied()?;
    let newer = issue(&cluster, "r-shared")?;
    ensure!(
        (may(&newer)?, may(&older)?) == ("t".into(), "t".into()),
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
    let may = |login: &str, table: &str| {
        cluster.psql(&format!(
            "select has_table_privilege('{login}', '{table}', 'select')"
        ))
    };
    let seen = [
        may(&older, "t")?,
        may(&older, "u")?,
        may(&newer, "t")?,
        may(&newer, "u")?,
    ];
    ensure!(seen == ["t", "f", "f", "t"], "{seen:?}");
    std::thread::sleep(Duration::from_secs(2));
    ensure!(
        cluster.psql(GROUPS)? == "2",
        "a group went while its login lives"
    );
    ensure!(may(&older, "t")? == "t");

    cluster.psql(&format!(
        "select leasehold.revoke(lease_id) from leasehold.leases where login = '{older}'"
    ))?;
    wait_until(Duration::from_secs(30), "the first group is gone", || {
        Ok(cluster.psql(GROUPS)? == "1")
    })?;
    ensure!(
        may(&newer, "u")? == "t",
        "the other's login has lost what it had"
    );

    cluster.psql("select leasehold.drop_role('r-shared'), leasehold.drop_role('r-own')")?;
    std::thread::sleep(Duration::from_secs(2));
    ensure!(
        may(&newer, "u")? == "t",
        "the recipe is gone, its login lives"
    );
    cluster.psql("select leasehold.revoke_prefix('')")?;
    no_group_is_left(&cluster)?;
    let left = cluster.psql(
        "select count(*) from pg_shdepend d where d.refclassid = 'pg_authid'::regclass
                               and not exists (select from pg_authid a where a.oid = d.refobjid)",
    )?;
    ensure!(left == "0", "litter");

    // Defined again: it begins anew.
    define(&cluster, "postgres", "r", "GRANT SELECT ON u TO @")?;
    ensure!(may(&issue(&cluster, "r-shared")?, "u")? == "t");
    Ok(())
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
    ensure!(cluster.psql("select has_table_privilege('friend', 't', 'select')")? == "f");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_issue_at_once_and_one_group_is_made() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql("create table t0 (a int)")?;
    define(
        &cluster,
        "postgres",
        "r",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO @",
    )?;
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
    wait_until(Duration::from_secs(30), "somebody enforces in app", || {
        Ok(copy
            .psql_in("app", "select enforced from leasehold.heartbeat()")
            .is_ok_and(|it| it == "t"))
    })?;
    wait_until(
        Duration::from_secs(30),
        "leases have their logins again",
        || Ok(copy.psql_in("app", "select count(*) from leasehold.check()")? == "0"),
    )?;
    let after = issue(&copy)?;
    for login in [&before, &after] {
        let may = copy.psql_in(
            "app",
            &format!("select has_table_privilege('{login}', 't', 'select')"),
        )?;
        ensure!(may == "t", "{login} may not read");
    }
    let seen = copy.psql_in("app", "select group_role, logins from leasehold.groups")?;
    ensure!(seen == format!("{group}|2"), "{seen}");

    // A group that was dropped by hand is made anew.
    copy.psql_in("app", &format!("drop owned by {group}; drop role {group}"))?;
    let last = issue(&copy)?;
    let may = copy.psql_in(
        "app",
        &format!("select has_table_privilege('{last}', 't', 'select')"),
    )?;
    ensure!(may == "t");
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
