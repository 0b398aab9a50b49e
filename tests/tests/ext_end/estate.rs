//! What a hostile login owns is dropped or given away as its recipe says, and none of its code runs on the way: the cleaner
//! is a superuser, and a login can hang its own functions on nearly everything that it makes.

use anyhow::{Result, ensure};
use leasehold_tests::Cluster;

use super::cluster;

/// One of each kind of thing that can hold a call of a function, in schema `@`. Every call is in the server's log, so that
/// none can be swallowed or rolled back.
const TRAPS: &str = r#"
    create schema @; set search_path = @, pg_catalog;
    create function trap(int) returns int language plpgsql immutable as $$ begin raise log 'sprung'; return $1; end $$;
    create function trigger_() returns trigger language plpgsql as $$ begin perform @.trap(1); return null; end $$;
    create type colour as enum ('red', 'green');
    create function same(colour, colour) returns bool language plpgsql as $$ begin perform @.trap(1); return true; end $$;
    create function same(oid, oid) returns bool language plpgsql as $$ begin perform @.trap(1); return true; end $$;
    create function same(name, text) returns bool language plpgsql as $$ begin perform @.trap(1); return true; end $$;
    create function number(colour) returns int language plpgsql as $$ begin return @.trap(1); end $$;
    create function plus(int, int) returns int language plpgsql as $$ begin return @.trap($1 + $2); end $$;
    create function apart(int, int) returns float8 language plpgsql immutable as $$ begin return @.trap($1 - $2); end $$;
    create operator = (leftarg = colour, rightarg = colour, function = same);
    create operator = (leftarg = oid, rightarg = oid, function = same);
    create operator = (leftarg = name, rightarg = text, function = same);
    create cast (colour as int) with function number(colour) as implicit;
    create aggregate total(int) (sfunc = plus, stype = int, initcond = '0');
    create type span as range (subtype = int, subtype_diff = apart);
    create domain small as int check (@.trap(value) < 100);
    create table t (
        a int primary key check (@.trap(a) > 0), b int default @.trap(2), c int generated always as (@.trap(a)) stored,
        d small, e colour default 'red', f span);
    insert into t (a, d, f) values (1, 1, '[1,2)'), (2, 2, '[2,3)');
    create index on t (trap(a)); create index on t ((b + trap(1))) where trap(2) > 1; create index on t using gist (f);
    create statistics numbers on (trap(a)), (trap(b)) from t;
    create table parts (a int) partition by range ((a + trap(1)));
    create table low partition of parts for values from (1) to (10); create table rest partition of parts default;
    insert into parts values (3), (30);
    create table child (a int references t on delete cascade); insert into child values (1);
    create view seen as select trap(a) as x from t;
    create materialized view kept as select trap(a) as x from t; create unique index on kept (x);
    create rule also as on delete to t do also select trap(1); create rule never as on update to t do instead select trap(1);
    create trigger each_ after insert or update or delete on t for each row execute function trigger_();
    create trigger all_ before insert or delete or truncate on t for each statement execute function trigger_();
    create constraint trigger late after delete on t deferrable initially deferred for each row execute function trigger_();
    create policy mine on t using (trap(a) > 0); alter table t enable row level security; alter table t force row level security;
    create sequence numbers_; create publication @ for table parts; create procedure go() language sql as 'select @.trap(1)';
    alter default privileges grant select on tables to bob; select lo_create(0);
"#;

/// How often a trap has sprung.
fn sprung(cluster: &Cluster) -> Result<usize> {
    Ok(cluster.log()?.matches("sprung").count())
}

#[test]
fn nothing_that_a_login_owns_runs_while_it_is_cleaned_away() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql(
        "create role mallory login; create database hostile owner mallory;
         grant create on database hostile to readers; grant create on database hostile to bob;
         select leasehold.define_role('cleaner', member_of => '{readers}', drop_owned => true);
         select leasehold.define_role('leaver', member_of => '{readers}', reassign_to => 'bob')",
    )?;
    let cases = [
        ("reader", "kept"),
        ("cleaner", "dropped"),
        ("leaver", "given"),
    ];
    let mut leases = Vec::new();
    for (role, schema) in cases {
        let lease = cluster.issue(role, "1 hour")?;
        cluster.psql_as(&lease.login, "hostile", &TRAPS.replace('@', schema))?;
        leases.push(lease);
    }
    // Only a superuser makes an event trigger, but the owner of its function may replace the body.
    cluster.psql_as(
        "mallory",
        "hostile",
        "create schema evil;
         create function evil.on_event() returns event_trigger language plpgsql as $$ begin raise log 'sprung'; end $$",
    )?;
    for event in [
        "ddl_command_start",
        "ddl_command_end",
        "sql_drop",
        "table_rewrite",
    ] {
        cluster.psql_in(
            "hostile",
            &format!("create event trigger on_{event} on {event} execute function evil.on_event()"),
        )?;
    }
    cluster.psql_as(
        "mallory",
        "hostile",
        "alter database hostile set search_path = dropped, given, kept, pg_catalog",
    )?;

    let before = sprung(&cluster)?;
    ensure!(before > 20, "the traps work: {before}");
    for lease in &leases {
        lease.revoke()?;
    }
    let [kept, dropped, given] = &leases[..] else {
        unreachable!("three cases")
    };
    dropped.wait_gone()?;
    given.wait_gone()?;
    let reason = kept.wait_reason()?;
    ensure!(reason.contains("it owns"), "{reason}");
    assert_eq!(sprung(&cluster)?, before, "code of a login has run");

    let schemas = cluster.psql_in(
        "hostile",
        "set search_path = pg_catalog; select nspname, nspowner::regrole from pg_namespace where nspname in ('dropped', 'given')",
    )?;
    assert_eq!(schemas, "given|bob");
    let not_his = cluster.psql_in(
        "hostile",
        "set search_path = pg_catalog; select count(*) from pg_class c where c.relnamespace = 'given'::regnamespace and c.relowner <> 'bob'::regrole",
    )?;
    assert_eq!(not_his, "0");

    // The control: what a statement drops, others hear of.
    cluster.psql_in(
        "hostile",
        &format!("drop owned by \"{}\" cascade", kept.login),
    )?;
    ensure!(sprung(&cluster)? > before, "nobody would have noticed");
    kept.wait_gone()
}

/// A table that is called like ours is none, in a database that does not hold the extension: nothing is asked of it when the
/// cleaner, a superuser, drops it. To plan a question to a partitioned table runs the functions of its key.
#[test]
fn a_table_named_like_ours_is_no_trap() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql(
        "grant create on database second to readers;
         select leasehold.define_role('cleaner', member_of => '{readers}', drop_owned => true)",
    )?;
    let lease = cluster.issue("cleaner", "1 hour")?;
    let trap = "create schema leasehold;
        create function leasehold.trap(int) returns int immutable language plpgsql as $$ begin raise log 'sprung'; return 0; end $$;
        create table leasehold.live_leases (a int) partition by range ((a + leasehold.trap(1)));
        create table leasehold.part partition of leasehold.live_leases default";
    cluster.psql_as(&lease.login, "second", trap)?;
    cluster.psql_as(&lease.login, "second", "select from leasehold.live_leases")?;
    let before = sprung(&cluster)?;
    ensure!(before > 0, "the trap works");
    lease.revoke()?;
    lease.wait_gone()?;
    assert_eq!(sprung(&cluster)?, before, "code of a login has run");
    Ok(())
}

/// An heir that has come to power since: what a login left behind would run with that.
#[test]
fn an_heir_with_power_inherits_nothing() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql(
        "create role powerful; select leasehold.define_role('leaver', member_of => '{readers}', reassign_to => 'bob')",
    )?;
    let lease = cluster.issue("leaver", "1 hour")?;
    cluster.psql_as(
        &lease.login,
        "postgres",
        "create table public.left_behind (x int)",
    )?;
    cluster.psql("grant pg_read_all_data to powerful; grant powerful to bob")?;
    lease.revoke()?;
    let reason = lease.wait_reason()?;
    ensure!(reason.contains("which has pg_read_all_data"), "{reason}");
    cluster.psql("revoke powerful from bob")?;
    lease.wait_gone()?;
    assert_eq!(
        cluster.psql("select tableowner from pg_tables where tablename = 'left_behind'")?,
        "bob"
    );
    Ok(())
}
