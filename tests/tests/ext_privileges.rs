//! Who may call what: a broker's login that is only a member of the group roles, people, and strangers. What a captured
//! broker can not do is as much a promise as what it can.

use anyhow::Result;
use leasehold_tests::{Cluster, Options, sqlstate, wait_until};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
const KEY: &str = "a key that nobody can guess";

/// A cluster with one login for each group role, `broker` (issuer and definer), and `stranger`.
fn prepared() -> Result<Cluster> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql(
        "create table secret (n int); insert into secret values (42);
         create role readers nologin; grant select on secret to readers;
         create role issuer login; grant leasehold_issuer to issuer;
         create role definer login; grant leasehold_definer to definer;
         create role admin login; grant leasehold_admin to admin;
         create role reader login; grant leasehold_reader to reader;
         create role broker login; grant leasehold_issuer, leasehold_definer to broker;
         create role stranger login;
         select leasehold.offer('readers', to_role => 'broker');
         select leasehold.define_role('r', '{readers}')",
    )?;
    Ok(cluster)
}

#[test]
fn every_function_says_who_may_call_it() -> Result<()> {
    let cluster = prepared()?;
    // function, then who may call it; superusers may call all.
    let table = [
        ("define_role", "broker definer"),
        ("drop_role", "broker definer"),
        ("offer", ""),
        ("withdraw", ""),
        ("issue", "broker issuer"),
        ("settle", "broker issuer"),
        ("renew", "broker issuer"),
        ("revoke", "admin broker issuer"),
        ("revoke_leases", "admin broker issuer"),
        ("revoke_prefix", "admin broker issuer"),
        ("revoke_owner", "admin broker issuer"),
        ("owner_ends", "admin broker issuer"),
        ("await_ended", "admin broker issuer"),
        ("changes", "broker issuer"),
        ("ack_changes", "broker issuer"),
        ("inventory", "broker issuer"),
        ("issue_many", "broker issuer"),
        ("renew_leases", "broker issuer"),
        ("register_scope", "broker definer issuer"),
        ("sweep", "admin broker issuer"),
        ("check", "admin reader"),
        ("lint", "admin broker definer reader"),
        ("doctor", "admin reader"),
        ("heartbeat", "admin broker definer issuer reader"),
        ("installation", "admin broker definer issuer reader"),
        ("api_version", "admin broker definer issuer reader"),
        ("login_sessions", "admin reader"),
        ("guard", ""),
        ("refuse_others", ""),
    ];
    let seen = cluster.psql(
        "select p.proname, coalesce(string_agg(r.rolname, ' ' order by r.rolname), '')
           from pg_proc p left join pg_roles r
             on r.rolname in ('issuer', 'definer', 'admin', 'reader', 'broker', 'stranger') and has_function_privilege(r.oid, p.oid, 'execute')
          where p.pronamespace = 'leasehold'::regnamespace group by p.proname order by p.proname",
    )?;
    let mut expect: Vec<String> = table
        .iter()
        .map(|(name, who)| format!("{name}|{who}"))
        .collect();
    expect.sort();
    let mut seen: Vec<&str> = seen.lines().collect();
    seen.sort_unstable();
    assert_eq!(seen, expect);
    Ok(())
}

#[test]
fn nobody_reads_or_writes_the_tables() -> Result<()> {
    let cluster = prepared()?;
    let seen = cluster.psql(
        "select c.relname, r.rolname, p.privilege
           from pg_class c, pg_roles r, unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) p (privilege)
          where c.relnamespace = 'leasehold'::regnamespace and c.relkind in ('r', 'v', 'm')
            and r.rolname in ('issuer', 'definer', 'admin', 'reader', 'broker', 'stranger')
            and has_table_privilege(r.oid, c.oid, p.privilege)
            and not (c.relkind = 'v' and r.rolname in ('reader', 'admin') and p.privilege = 'select')",
    )?;
    assert_eq!(seen, "");
    for view in ["roles", "leases", "sessions", "history", "stats", "orphans"] {
        cluster.psql_as(
            "reader",
            "postgres",
            &format!("select count(*) from leasehold.{view}"),
        )?;
    }
    let sequences = cluster.psql(
        "select count(*) from pg_class c, pg_roles r where c.relnamespace = 'leasehold'::regnamespace and c.relkind = 'S'
            and r.rolname in ('issuer', 'definer', 'admin', 'reader', 'broker', 'stranger') and has_sequence_privilege(r.oid, c.oid, 'usage, select, update')",
    )?;
    assert_eq!(sequences, "0");
    assert_eq!(
        cluster.psql("select has_schema_privilege('broker', 'leasehold', 'create')")?,
        "f"
    );
    Ok(())
}

#[test]
fn who_may_write_all_data_does_not_write_ours() -> Result<()> {
    let cluster = prepared()?;
    cluster.psql(
        "create role writer login; grant pg_write_all_data to writer;
         select leasehold.define_role('r', '{readers}');
         select leasehold.issue('r', request_id => '1')",
    )?;
    let writer = |text: &str| cluster.psql_as("writer", "postgres", text);
    for change in [
        "delete from leasehold.live_leases",
        "update leasehold.live_leases set revocation_statements = '{alter role writer superuser}', definer = 'postgres'",
        "update leasehold.recipes set revocation_statements = '{alter role writer superuser}'",
        "delete from leasehold.offers",
        "delete from leasehold.scopes",
        "delete from leasehold.scope_logins",
        "delete from leasehold.shared_groups",
    ] {
        assert_eq!(sqlstate(writer(change)), "42501", "{change}");
    }
    // Nor prolongs what it has, or makes an end forgotten.
    let tables = cluster.psql(
        "select relname from pg_class where relnamespace = 'leasehold'::regnamespace and relkind = 'r'",
    )?;
    assert!(tables.lines().count() > 10, "{tables}");
    for table in tables.lines() {
        let delete = format!("delete from leasehold.{table}");
        assert_eq!(sqlstate(writer(&delete)), "42501", "{delete}");
    }
    let prolong = "update leasehold.live_leases set expires_at = 'infinity', max_expires_at = 'infinity', due_at = 'infinity'";
    assert_eq!(sqlstate(writer(prolong)), "42501");
    // As whom its ending statements would run.
    let planted = writer(
        "insert into leasehold.live_leases (scope, lease_id, role_name, digest, issued_by, issued_by_oid, issued_at, expires_at,
                max_expires_at, due_at, state, fenced_at, next_attempt_at, definer, definer_oid, revocation_statements, drop_owned)
         values ('sql', 'x', 'x', 'x', 'x', 0, now(), now(), now(), now(), 'fenced', now(), now(), 'postgres', 10,
                '{alter role writer superuser}', false)",
    );
    assert_eq!(sqlstate(planted), "42501");
    // A loader's session passes ordinary triggers by.
    cluster.psql("grant set on parameter session_replication_role to writer")?;
    for table in tables.lines() {
        let delete =
            format!("set session_replication_role = replica; delete from leasehold.{table}");
        assert_eq!(sqlstate(writer(&delete)), "42501", "{delete}");
    }
    assert_eq!(cluster.psql("select count(*) from leasehold.leases")?, "1");
    assert_eq!(cluster.psql("select count(*) from leasehold.check()")?, "0");
    Ok(())
}

/// Neither by a lock, which fires no trigger, nor with the sequences, which can have none.
#[tokio::test]
async fn who_may_write_all_data_stops_no_end() -> Result<()> {
    let cluster = prepared()?;
    cluster.psql("create role writer login; grant pg_write_all_data to writer")?;
    let issue = |ttl: &str| {
        cluster.psql(&format!(
            "select login from leasehold.issue('r', ttl => '{ttl}')"
        ))
    };
    let gone = |login: &str| {
        wait_until(PATIENCE, "the login is gone", || {
            Ok(!cluster.has_role(login)?)
        })
    };
    let locked = issue("3 seconds")?;
    let mut locker = cluster.connect_trusted("writer", "postgres").await?;
    sqlx::raw_sql("begin; lock table leasehold.live_leases in access exclusive mode")
        .execute(&mut locker)
        .await?;
    gone(&locked)?;
    assert!(
        sqlx::query("select 1").execute(&mut locker).await.is_err(),
        "it was ended"
    );

    let exhaust = |sequence: &str| {
        cluster.psql_as(
            "writer",
            "postgres",
            &format!("select setval('leasehold.{sequence}', 9223372036854775807)"),
        )
    };
    let row = cluster.psql_as("broker", "postgres", &format!(
        "select leasehold.register_scope('store', '{KEY}');
         select leasehold.define_role('m/r', '{{readers}}', scope => 'store') is not null;
         select login from leasehold.issue('m/r', request_id => 'm/r/1', ttl => '3 seconds', scope => 'store')"
    ))?;
    exhaust("outbox_id_seq")?;
    gone(row.lines().last().expect("a row"))?;

    exhaust("live_leases_lease_number_seq")?;
    wait_until(PATIENCE, "there are numbers again", || {
        Ok(issue("1 hour").is_ok())
    })
}

/// Any issuer may say with what an owner ends, and sit in that transaction.
#[tokio::test]
async fn whoever_declares_owners_holds_off_no_end_of_others() -> Result<()> {
    let cluster = prepared()?;
    cluster.psql("select leasehold.issue('r', owners => '{o,p}')")?;
    let mut idle = cluster.connect_trusted("issuer", "postgres").await?;
    sqlx::raw_sql("begin; select leasehold.owner_ends('c', 'unknown', null, 1)")
        .execute(&mut idle)
        .await?;
    cluster.psql("set lock_timeout = '5s'; select leasehold.revoke_owner('p')")?;
    wait_until(PATIENCE, "the lease has ended", || {
        Ok(cluster.psql("select count(*) from leasehold.leases")? == "0")
    })?;
    // Nor the cleaning of grants, which takes the locks of all access lists.
    cluster.psql(
        r#"select leasehold.define_role('g', creation_statements => array[
             'CREATE ROLE "{{name}}" LOGIN PASSWORD ''{{password}}''', 'GRANT SELECT ON secret TO "{{name}}"'])"#,
    )?;
    let id = cluster.psql("select lease_id from leasehold.issue('g')")?;
    cluster.psql(&format!("select leasehold.revoke('{id}')"))?;
    wait_until(PATIENCE, "the login with a grant is gone", || {
        Ok(cluster.psql("select count(*) from leasehold.leases")? == "0")
    })
}

#[tokio::test]
async fn a_broker_s_login_needs_no_more_than_its_groups() -> Result<()> {
    let cluster = prepared()?;
    let broker = |text: &str| cluster.psql_as("broker", "postgres", text);
    let row = broker(&format!(
        "select leasehold.register_scope('store', '{KEY}');
         select leasehold.define_role('m/r', '{{readers}}', scope => 'store') is not null;
         select login, password from leasehold.issue('m/r', request_id => 'db/creds/r/1', display_name => 'token-app',
             owners => '{{accessor}}', scope => 'store')"
    ))?;
    let last = row.lines().last().expect("a row");
    let (login, password) = last.split_once('|').expect("two columns");
    let mut session = cluster.log_in(login, password).await?;
    assert_eq!(
        sqlx::query_scalar::<_, i32>("select n from secret")
            .fetch_one(&mut session)
            .await?,
        42
    );
    assert_eq!(
        broker(
            "select ttl_seconds from leasehold.renew('db/creds/r/1', '10 min', scope => 'store')"
        )?,
        "600"
    );
    assert_eq!(
        broker("select leasehold.revoke('db/creds/r/1', 'store')")?,
        "fenced"
    );

    // What it can not do, with all of that.
    for text in [
        "create role x",
        "create role x in role readers",
        "grant readers to broker",
        "alter role postgres password 'x'",
        "drop role readers",
        "select n from secret",
        "set role readers",
        "select leasehold.offer('readers', 'broker')",
        "select leasehold.offer('postgres', 'broker')",
        "select * from leasehold.live_leases",
        "update leasehold.live_leases set expires_at = now() + '1 year'",
        "delete from leasehold.requests",
        "security label for leasehold on role broker is null",
        "security label for leasehold on role broker is 'group'",
        "drop extension leasehold",
        "create function leasehold.mine() returns int language sql as 'select 1'",
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'",
        "select rolpassword from pg_authid",
    ] {
        let seen = sqlstate(broker(text));
        assert!(
            ["42501", "42704", "LH008"].contains(&seen.as_str()),
            "{text}: {seen}"
        );
    }
    // It hands out no group that was not offered, by no road, and no power of a role's own.
    cluster.psql("create role powerful createrole; create role writers")?;
    assert_eq!(
        sqlstate(broker("select leasehold.define_role('x', '{writers}')")),
        "LH008"
    );
    assert_eq!(
        sqlstate(broker("select leasehold.define_role('x', '{postgres}')")),
        "LH008"
    );
    assert_eq!(
        sqlstate(broker(
            "select leasehold.define_role('x', '{pg_read_all_data}')"
        )),
        "LH008"
    );
    for text in [
        "create role \"{{name}}\" login superuser",
        "create role \"{{name}}\" login createrole",
        "create role \"{{name}}\" login in role writers",
        "create role \"{{name}}\" login; grant writers to \"{{name}}\"",
        "create role \"{{name}}\" login; grant select on secret to \"{{name}}\"",
        "create role \"{{name}}\" login; alter role postgres nologin",
        "create role \"{{name}}\" login; do $$begin execute 'alter role broker superuser'; end$$",
        "create role \"{{name}}\" login; set session authorization postgres",
        "create role \"{{name}}\" login; reset role",
    ] {
        broker(&format!(
            "select leasehold.define_role('x', creation_statements => array[$t${text}$t$])"
        ))?;
        let seen = broker("select leasehold.issue('x')");
        assert!(seen.is_err(), "{text}");
    }
    assert_eq!(
        cluster.psql("select count(*) from pg_roles where rolsuper")?,
        "1"
    );
    assert_eq!(
        cluster.psql("select rolcanlogin from pg_roles where rolname = 'postgres'")?,
        "t"
    );
    Ok(())
}

#[test]
fn a_scope_is_for_those_who_show_its_key() -> Result<()> {
    let cluster = prepared()?;
    let register = |user: &str, key: &str| {
        cluster.psql_as(
            user,
            "postgres",
            &format!("select leasehold.register_scope('store', '{key}')"),
        )
    };
    register("broker", KEY)?;
    register("broker", KEY)?;
    assert_eq!(
        sqlstate(register("issuer", "another key, long enough")),
        "LH008"
    );
    assert_eq!(sqlstate(register("issuer", "short")), "22023");
    cluster.psql_as(
        "broker",
        "postgres",
        "select leasehold.define_role('r', '{readers}', scope => 'store');
                    select leasehold.issue('r', request_id => 'theirs', scope => 'store')",
    )?;

    let issuer = |text: &str| cluster.psql_as("issuer", "postgres", text);
    for text in [
        "select leasehold.issue('r', scope => 'store')",
        "select leasehold.settle('{a}', 'store')",
        "select leasehold.renew('theirs', scope => 'store')",
        "select leasehold.revoke('theirs', 'store')",
        "select leasehold.revoke_leases('{theirs}', 'store')",
        "select leasehold.revoke_prefix('', 10, 'store')",
        "select leasehold.revoke_owner('o', 'store')",
        "select leasehold.owner_ends('o', null, null, 1, 'store')",
        "select leasehold.changes(10, 'store')",
        "select leasehold.ack_changes('{1}', 'store')",
        "select leasehold.inventory(scope => 'store')",
        "select leasehold.issue('r', scope => 'not registered')",
    ] {
        assert_eq!(sqlstate(issuer(text)), "LH008", "{text}");
    }
    // Without a scope it reaches what it may, and nothing of others.
    assert_eq!(issuer("select leasehold.revoke('theirs')")?, "gone");
    assert_eq!(issuer("select leasehold.revoke_leases('{theirs}')")?, "0");
    assert_eq!(issuer("select leasehold.revoke_prefix('')")?, "0");
    assert_eq!(
        sqlstate(issuer("select leasehold.renew('theirs')")),
        "LH005"
    );
    assert_eq!(
        cluster.psql("select count(*) from leasehold.leases where state = 'active'")?,
        "1"
    );
    // A person who ends things ends them all, and another login of the store works in it at once.
    register("issuer", KEY)?;
    assert_eq!(
        issuer(
            "select lease_id from leasehold.renew('theirs') r, leasehold.settle('{theirs}', 'store') s (lease_id, o, t)"
        )?,
        "theirs"
    );
    assert_eq!(
        cluster.psql_as("admin", "postgres", "select leasehold.revoke('theirs')")?,
        "fenced"
    );
    assert_eq!(cluster.psql("select ended_by from leasehold.leases union all select ended_by from leasehold.history limit 1")?, "admin");
    Ok(())
}

#[test]
fn two_stores_do_not_touch_each_other() -> Result<()> {
    let cluster = prepared()?;
    for (store, login) in [("one", "broker"), ("two", "issuer")] {
        cluster.psql(&format!("grant leasehold_definer, leasehold_issuer to {login}; grant readers to {login} with admin option"))?;
        cluster.psql_as(login, "postgres", &format!(
            "select leasehold.register_scope('{store}', 'the key of store {store}');
             select leasehold.define_role('m/r', '{{readers}}', scope => '{store}');
             select leasehold.issue('m/r', request_id => 'database/creds/r/1', owners => '{{same}}', scope => '{store}')"
        ))?;
    }
    let count =
        "select string_agg(scope, ' ' order by scope) from leasehold.leases where state = 'active'";
    assert_eq!(cluster.psql(count)?, "one two");
    cluster.psql_as("broker", "postgres", "select leasehold.revoke_prefix('database', 10, 'one'); select leasehold.revoke_owner('same', 'one')")?;
    assert_eq!(cluster.psql(count)?, "two");
    // An id that two scopes have is not guessed at.
    cluster.psql("select leasehold.issue('r', request_id => 'database/creds/r/1')")?;
    assert_eq!(
        sqlstate(cluster.psql("select leasehold.renew('database/creds/r/1')")),
        "22023"
    );
    Ok(())
}

/// Default privileges of whoever makes the extension are for its other things.
#[test]
fn default_privileges_open_no_door() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql("create role stranger login")?;
    cluster.create_database("generous")?;
    cluster.psql_in(
        "generous",
        "alter default privileges grant all on tables to stranger; alter default privileges grant all on functions to stranger;
         alter default privileges grant all on sequences to stranger; alter default privileges grant all on schemas to stranger;
         alter default privileges grant all on tables to public; alter default privileges grant all on schemas to public;
         create extension leasehold; create table given (); select leasehold.define_role('r')",
    )?;
    let has = |what: &str| cluster.psql_in("generous", what);
    assert_eq!(
        has("select has_table_privilege('stranger', 'given', 'trigger')")?,
        "t",
        "the defaults work"
    );
    let left = has(
        "select a.what from (
            select 'schema' as what, nspacl as acl from pg_namespace where nspname = 'leasehold'
            union all select relname, relacl from pg_class where relnamespace = 'leasehold'::regnamespace
            union all select proname, proacl from pg_proc where pronamespace = 'leasehold'::regnamespace) a,
            aclexplode(a.acl) x where x.grantee in (0, 'stranger'::regrole)",
    )?;
    assert_eq!(left, "");
    Ok(())
}

#[test]
fn strangers_find_every_door_shut() -> Result<()> {
    let cluster = prepared()?;
    for text in [
        "select leasehold.issue('r')",
        "select leasehold.revoke_prefix('')",
        "select * from leasehold.leases",
        "select leasehold.api_version()",
        "select leasehold.check()",
    ] {
        assert_eq!(
            sqlstate(cluster.psql_as("stranger", "postgres", text)),
            "42501",
            "{text}"
        );
    }
    Ok(())
}

#[test]
fn foreign_group_roles_are_an_error_and_our_own_are_used_again() -> Result<()> {
    let cluster = prepared()?;
    cluster.create_database("second")?;
    cluster.psql_in("second", "create extension leasehold")?;
    let both = "select count(distinct label) from pg_shseclabel where provider = 'leasehold' and label not like '%/%' and label <> 'group'";
    assert_eq!(cluster.psql(both)?, "2");
    cluster.psql("security label for leasehold on role leasehold_reader is null")?;
    cluster.create_database("third")?;
    assert_eq!(
        sqlstate(cluster.psql_in("third", "create extension leasehold")),
        "42710"
    );
    cluster.psql("security label for leasehold on role leasehold_reader is 'group'")?;
    cluster.psql_in("third", "create schema leasehold")?;
    assert_eq!(
        sqlstate(cluster.psql_in("third", "create extension leasehold")),
        "42P06"
    );
    Ok(())
}

#[test]
fn everything_public_has_a_comment() -> Result<()> {
    let cluster = prepared()?;
    let silent = cluster.psql(
        "select p.oid::regprocedure::text from pg_proc p where p.pronamespace = 'leasehold'::regnamespace and obj_description(p.oid, 'pg_proc') is null
         union all
         select c.oid::regclass::text from pg_class c where c.relnamespace = 'leasehold'::regnamespace and c.relkind in ('r', 'v') and obj_description(c.oid, 'pg_class') is null
         union all
         select r.rolname from pg_roles r where r.rolname like 'leasehold\\_%' and shobj_description(r.oid, 'pg_authid') is null",
    )?;
    assert_eq!(silent, "");
    let unnamed = cluster.psql(
        "select oid::regprocedure from pg_proc where pronamespace = 'leasehold'::regnamespace and pronargs > 0 and proargnames is null",
    )?;
    assert_eq!(unnamed, "");
    Ok(())
}
