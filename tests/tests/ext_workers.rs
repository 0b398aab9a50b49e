//! The workers: killed, crashed, locked out and lied to, they still end every lease.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Cluster, Lease, Options, Stop, VERIFIER, wait_until};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(15);

fn cluster() -> Result<Cluster> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql(
        "create role readers; create table public.secret (x int); grant select on public.secret to readers;
         select leasehold.define_role('reader', member_of => '{readers}')",
    )?;
    cluster.wait_enforced("postgres")?;
    Ok(cluster)
}

fn wait_all_gone(cluster: &Cluster) -> Result<()> {
    wait_until(SOON, "all leases are gone", || {
        Ok(cluster.psql("select count(*) from leasehold.leases")? == "0")
    })
    .with_context(|| {
        cluster
            .psql("select login, state, attempts, last_error from leasehold.leases")
            .unwrap_or_default()
    })
}

fn worker(cluster: &Cluster, kind: &str) -> Result<Option<u32>> {
    let row = cluster.psql(&format!(
        "select pid from pg_stat_activity where backend_type = 'leasehold {kind}'"
    ))?;
    Ok(row.lines().next().and_then(|pid| pid.parse().ok()))
}

#[test]
fn a_worker_that_is_ended_is_back() -> Result<()> {
    let cluster = cluster()?;
    for kind in ["sweeper", "launcher"] {
        let old = worker(&cluster, kind)?.context("it runs")?;
        cluster.psql(&format!("select pg_terminate_backend({old})"))?;
        let began = Instant::now();
        wait_until(SOON, "another one runs", || {
            Ok(worker(&cluster, kind)?.is_some_and(|new| new != old))
        })?;
        ensure!(
            began.elapsed() < Duration::from_secs(4),
            "{kind} was away for {:?}",
            began.elapsed()
        );
    }
    cluster.issue("reader", "1 second")?;
    wait_all_gone(&cluster)
}

/// A process without a database finds a label, or a role, by reading all of them: with very many leases that is not for every look around.
#[test]
fn labels_and_roles_are_read_through_only_where_something_may_have_changed() -> Result<()> {
    let cluster = cluster()?;
    for database in ["other", "third"] {
        cluster.psql(&format!("create database {database}"))?;
    }
    // The looks at the start, and what the checks of this test themselves count.
    std::thread::sleep(Duration::from_secs(3));
    let scans = || -> Result<i64> {
        let scans = "select sum(pg_stat_get_numscans(oid)) from pg_class where relname in ('pg_shseclabel', 'pg_authid')";
        Ok(cluster.psql(scans)?.parse()?)
    };
    let before = scans()?;
    std::thread::sleep(Duration::from_secs(6));
    let looked = scans()? - before;
    ensure!(looked <= 4, "read through {looked} times in six seconds");
    // And a label is heard of at once, not when they are read again by the clock: of two, that could be so for one.
    let label = |database: &str, wanted: &str| -> Result<()> {
        cluster.psql(&format!(
            "do $$ begin execute format('security label for leasehold on database %I is %L', '{database}', gen_random_uuid()); end $$"
        ))?;
        wait_until(Duration::from_secs(4), "as many sweepers as labels", || {
            let count =
                "select count(*) from pg_stat_activity where backend_type = 'leasehold sweeper'";
            Ok(cluster.psql(count)? == wanted)
        })
    };
    label("other", "2")?;
    label("third", "3")
}

/// `pg_signal_backend` lets an operator end sessions, but not those of a superuser, which our workers are.
#[test]
fn whoever_may_signal_backends_can_not_end_a_worker() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql("create role operator login in role pg_signal_backend, pg_read_all_stats")?;
    for kind in ["sweeper", "launcher"] {
        let pid = worker(&cluster, kind)?.context("it runs")?;
        let refused = cluster.psql_as(
            "operator",
            "postgres",
            &format!("select pg_terminate_backend({pid})"),
        );
        ensure!(refused.is_err(), "{kind} was ended by an operator");
        assert_eq!(worker(&cluster, kind)?, Some(pid));
    }
    Ok(())
}

/// Crashes in the middle of issuing, and of ending; after each recovery every login has its lease, and ends.
#[test]
fn crashes_leave_no_login_without_a_lease() -> Result<()> {
    let cluster = cluster()?;
    for cycle in 0..4 {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| -> Result<()> {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let _ = cluster.psql(
                            "select count(*) from leasehold.issue('reader', ttl => '1 second');
                             select leasehold.issue('reader', ttl => '1 hour')",
                        );
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(900 + 170 * cycle));
            let crashed = if cycle % 2 == 0 {
                cluster.crash()
            } else {
                worker(&cluster, "sweeper")?.map_or(Ok(()), |pid| cluster.kill_process(pid))
            };
            stop.store(true, Ordering::Relaxed);
            crashed
        })?;
        cluster.wait_enforced("postgres")?;
        let violations = cluster.violations()?;
        ensure!(violations.is_empty(), "{violations:?}");
    }
    wait_until(SOON, "short leases are gone", || {
        Ok(cluster.psql("select count(*) from leasehold.leases where max_expires_at - issued_at < '1 minute' or time_left = '0'")? == "0")
    })?;
    cluster.psql("select leasehold.revoke_prefix('', 500)")?;
    wait_until(SOON, "all are revoked", || {
        Ok(cluster.psql("select leasehold.revoke_prefix('', 500)")? == "0")
    })?;
    wait_all_gone(&cluster)?;
    assert_eq!(
        cluster.psql("select count(*) from pg_roles where rolname ~ '^lh_'")?,
        "0"
    );
    Ok(())
}

/// A database whose owner is an adversary: whatever it presets for those who connect, a visitor neither runs its code nor
/// fails. The trapped operators and the event triggers make the owner a superuser if anybody of rank trips them.
#[test]
fn a_hostile_database_is_cleaned_and_catches_nobody() -> Result<()> {
    let cluster = cluster()?;
    let Lease { id, login, .. } = cluster.issue("reader", "1 hour")?;
    cluster.psql("create role mallory login; create database hostile owner mallory")?;
    cluster.psql_as(
        "mallory",
        "hostile",
        &format!(
            "create schema evil;
             create function evil.trap() returns bool language plpgsql as
                $$ begin execute 'alter role mallory superuser'; return true; exception when others then return true; end $$;
             create function evil.eq(name, text) returns bool language plpgsql as $$ begin perform evil.trap(); return true; end $$;
             create function evil.eq(oid, oid) returns bool language plpgsql as
                $$ begin perform evil.trap(); return $1::int8 operator(pg_catalog.=) $2::int8; end $$;
             create function evil.eq(\"char\", \"char\") returns bool language plpgsql as $$ begin perform evil.trap(); return true; end $$;
             create operator evil.= (leftarg = name, rightarg = text, function = evil.eq);
             create operator evil.= (leftarg = oid, rightarg = oid, function = evil.eq);
             create operator evil.= (leftarg = \"char\", rightarg = \"char\", function = evil.eq);
             create table evil.bait (a int); alter table evil.bait enable row level security;
             grant select on evil.bait to \"{login}\" with grant option;
             create policy p on evil.bait to \"{login}\" using (true);
             alter default privileges grant select on tables to \"{login}\";
             create schema leasehold; create view leasehold.acl_locks as select 1 as class where evil.trap();
             create function evil.on_event() returns event_trigger language plpgsql as $$ begin perform evil.trap(); end $$"
        ),
    )?;
    // Only a superuser makes an event trigger, but the owner of its function may replace the body.
    cluster.psql_in(
        "hostile",
        "create event trigger e1 on ddl_command_start execute function evil.on_event();
         create event trigger e2 on ddl_command_end execute function evil.on_event();
         create event trigger e3 on sql_drop execute function evil.on_event();
         grant select on evil.bait to postgres",
    )?;
    assert_eq!(
        cluster.psql("select rolsuper from pg_roles where rolname = 'mallory'")?,
        "t",
        "the trap works"
    );
    cluster.psql("alter role mallory nosuperuser")?;
    for setting in [
        "search_path = evil, pg_catalog",
        "role = mallory",
        "default_transaction_read_only = on",
        "statement_timeout = 1",
        "lock_timeout = 1",
        "idle_in_transaction_session_timeout = 1",
        "exit_on_error = on",
        "default_transaction_isolation = serializable",
        "default_transaction_deferrable = on",
        "standard_conforming_strings = off",
        "transform_null_equals = on",
        "array_nulls = off",
        "quote_all_identifiers = on",
        "enable_indexscan = off",
        "synchronous_commit = off",
    ] {
        cluster.psql_as(
            "mallory",
            "postgres",
            &format!("alter database hostile set {setting}"),
        )?;
    }
    cluster.psql(&format!("select leasehold.revoke('{id}')"))?;
    wait_all_gone(&cluster)?;
    // The harness goes there too, and needs longer than a millisecond.
    cluster.psql("alter database hostile reset all")?;
    assert_eq!(
        cluster.psql("select rolsuper from pg_roles where rolname = 'mallory'")?,
        "f"
    );
    assert_eq!(
        cluster.psql(&format!(
            "select count(*) from pg_roles where rolname = '{login}'"
        ))?,
        "0"
    );
    Ok(())
}

#[test]
fn a_database_that_takes_no_connections_is_cleaned_too() -> Result<()> {
    let cluster = cluster()?;
    let Lease { id, login, .. } = cluster.issue("reader", "1 hour")?;
    cluster.create_database("shut")?;
    cluster.psql_in(
        "shut",
        &format!("create table t (x int); grant select on t to \"{login}\""),
    )?;
    cluster.psql("alter database shut allow_connections false")?;
    cluster.psql(&format!("select leasehold.revoke('{id}')"))?;
    wait_all_gone(&cluster)
}

/// One lease that can not be finished, because somebody holds a lock on what it was granted, delays no other.
#[tokio::test]
async fn a_stuck_lease_delays_nobody() -> Result<()> {
    let cluster = cluster()?;
    let stuck = cluster.issue("reader", "1 hour")?;
    cluster.create_database("busy")?;
    cluster.psql_in(
        "busy",
        &format!(
            "create table t (x int); create policy p on t to \"{}\" using (true)",
            stuck.login
        ),
    )?;
    let mut holder = cluster.connect_to("busy").await?;
    sqlx::raw_sql("begin; lock table t")
        .execute(&mut holder)
        .await?;
    stuck.revoke()?;
    let other = cluster.issue("reader", "1 hour")?;
    other.revoke()?;
    let began = Instant::now();
    other.wait_gone()?;
    ensure!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    wait_until(SOON, "the stuck one says why", || {
        let why = stuck.columns("last_error")?;
        Ok(why.contains("busy") && why.contains("lock timeout"))
    })?;
    sqlx::raw_sql("rollback").execute(&mut holder).await?;
    wait_all_gone(&cluster)
}

/// The database of an installation is dropped under its leases: nobody would end their logins, so they are fenced at once.
#[test]
fn logins_of_a_dropped_database_are_fenced() -> Result<()> {
    let cluster = cluster()?;
    cluster.create_database("doomed")?;
    cluster.psql_in(
        "doomed",
        "create extension leasehold; select leasehold.define_role('reader', member_of => '{readers}')",
    )?;
    cluster.wait_enforced("doomed")?;
    let login = cluster.issue_in("doomed", "reader", "1 hour")?.login;
    cluster.psql("drop database doomed with (force)")?;
    wait_until(SOON, "the login is fenced", || {
        Ok(cluster.psql(&format!(
            "select rolcanlogin or rolpassword is not null or exists (select from pg_auth_members m where m.member = a.oid)
               from pg_authid a where rolname = '{login}'"
        ))? == "f")
    })?;
    assert_eq!(
        cluster.psql("select login, reason from leasehold.orphans")?,
        format!("{login}|installation unknown")
    );

    // A day later it is dropped. The fence is dated in VALID UNTIL; a restart looks at once.
    cluster.psql(&format!(
        "grant select on public.secret to \"{login}\";
         update pg_authid set rolvaliduntil = now() - interval '25 hours' where rolname = '{login}'"
    ))?;
    cluster.restart()?;
    wait_until(SOON, "the login is dropped", || {
        Ok(cluster.psql(&format!(
            "select count(*) from pg_roles where rolname = '{login}'"
        ))? == "0")
    })
}

/// A visit takes 64 logins along.
const MANY: usize = 3_000;

#[test]
fn very_many_logins_of_a_dropped_database_are_fenced_and_then_left_alone() -> Result<()> {
    let cluster = Cluster::start(Options::default().set("log_min_messages", "debug1"))?;
    cluster.create_database("doomed")?;
    cluster.psql_in(
        "doomed",
        &format!(
            "create extension leasehold; create role readers; select leasehold.define_role('reader', member_of => '{{readers}}');
             select count(*) from generate_series(1, {MANY}) n, leasehold.issue('reader', request_id => n::text, verifier => '{VERIFIER}')"
        ),
    )?;
    cluster.psql("drop database doomed with (force)")?;
    let armed = "select count(*) from pg_authid a where rolname like 'lh\\_%' \
                    and (rolcanlogin or rolpassword is not null or exists (select from pg_auth_members m where m.member = a.oid))";
    wait_until(SOON, "all of them are fenced", || {
        Ok(cluster.psql(armed)? == "0")
    })?;

    // They stay for a day; a look at the databases, which the launcher takes whenever one of ours comes or goes, finds them
    // in order, and visits none of them.
    let visits = || -> Result<usize> {
        Ok(cluster
            .log()?
            .matches("worker process \"leasehold cleaner\"")
            .count())
    };
    let quiet = || -> Result<bool> {
        let before = visits()?;
        std::thread::sleep(Duration::from_secs(1));
        Ok(visits()? == before)
    };
    wait_until(SOON, "the cleaners have come home", quiet)?;
    let before = visits()?;
    cluster.create_database("other")?;
    cluster.psql_in("other", "create extension leasehold")?;
    cluster.wait_enforced("other")?;
    cluster.psql("drop database other with (force)")?;
    std::thread::sleep(Duration::from_secs(3));
    let more = visits()? - before;
    ensure!(more < MANY / 64 / 2, "{more} visits to logins in order");
    Ok(())
}

#[test]
fn an_admin_who_revives_an_ended_login_is_undone() -> Result<()> {
    let cluster = cluster()?;
    let Lease { id, login, .. } = cluster.issue("reader", "1 hour")?;
    cluster.psql(&format!("grant create on schema public to \"{login}\""))?;
    cluster.psql_as(&login, "postgres", "create table public.kept (x int)")?;
    cluster.psql(&format!("select leasehold.revoke('{id}')"))?;
    wait_until(SOON, "it is fenced", || {
        Ok(cluster.psql("select count(*) from leasehold.leases where state = 'fenced' and last_error is not null")? == "1")
    })?;
    cluster.psql(&format!(
        "alter role \"{login}\" login password 'again' valid until 'infinity'"
    ))?;
    wait_until(SOON, "it is fenced again", || {
        Ok(cluster.psql(&format!(
            "select rolcanlogin from pg_authid where rolname = '{login}'"
        ))? == "f")
    })?;
    cluster.psql(&format!("drop owned by \"{login}\""))?;
    wait_all_gone(&cluster)
}

#[test]
fn old_history_and_request_ids_are_pruned() -> Result<()> {
    let cluster = Cluster::start(Options::default().set("leasehold.history_days", "7"))?;
    cluster.psql(
        "insert into leasehold.past_leases (lease_number, scope, lease_id, role_name, issued_by, issued_at, expires_at, gone_at, cause, attempts)
         select n, 'sql', 'r/' || n, 'r', 'x', now() - interval '9 days', now() - interval '8 days', now() - make_interval(days => n), 'expired', 0
           from generate_series(1, 20) n;
         insert into leasehold.requests (scope, request_id, requested_at) values ('sql', 'old', now() - interval '25 hours'), ('sql', 'new', now())",
    )?;
    cluster.restart()?;
    wait_until(SOON, "what is old is gone", || {
        Ok(cluster.psql(
            "select (select count(*) from leasehold.history), (select string_agg(request_id, ',') from leasehold.requests)",
        )? == "6|new")
    })
}

/// A dump carries leases by login name, and logins and databases with their marks; on the copy every OID is another one.
/// (The database `postgres` is the exception: `pg_dumpall` takes it as given, and so does not carry its label.)
#[tokio::test]
async fn a_restored_cluster_goes_on_with_its_leases() -> Result<()> {
    let bare = || Options {
        extension: false,
        ..Options::default()
    };
    let original = Cluster::start(bare())?;
    original.create_database("app")?;
    original.psql_in(
        "app",
        "create extension leasehold; create role readers; create role heir;
         grant create on schema public to readers, heir;
         select leasehold.define_role('reader', member_of => '{readers}');
         select leasehold.define_role('maker', member_of => '{readers}', reassign_to => 'heir')",
    )?;
    original.wait_enforced("app")?;
    let making = original.issue_in("app", "maker", "1 hour")?;
    original.psql_as(&making.login, "app", "create table public.made (x int)")?;
    let living = original.issue_in("app", "reader", "1 hour")?;
    let lost = original.issue_in("app", "reader", "1 hour")?;
    let short = original.issue_in("app", "reader", "10 seconds")?;
    let dump = original.dump()?;
    original.stop(Stop::Fast)?;
    // One login did not make it into the copy.
    let kept = |line: &&str| !line.contains(&lost.login) || line.contains('\t');
    let dump: String = dump
        .lines()
        .filter(kept)
        .flat_map(|line| [line, "\n"])
        .collect();

    let copy = Cluster::start(bare())?;
    copy.psql("create role shifts_every_oid; create role once_more")?;
    copy.psql(&dump)?;
    copy.wait_enforced("app")?;
    for (lease, cause) in [(&lost, "restored"), (&short, "expired")] {
        wait_until(Duration::from_secs(30), "what has ended is gone", || {
            let query = format!(
                "select cause from leasehold.history where lease_id = '{}'",
                lease.id
            );
            Ok(copy.psql_in("app", &query)? == cause)
        })
        .with_context(|| {
            copy.psql_in(
                "app",
                "select * from leasehold.leases; select * from leasehold.history",
            )
            .unwrap_or_default()
        })?;
        assert_eq!(
            copy.psql(&format!(
                "select count(*) from pg_roles where rolname = '{}'",
                lease.login
            ))?,
            "0"
        );
    }
    assert_eq!(
        copy.psql_in(
            "app",
            "select lease_id, login, state from leasehold.leases where role = 'reader'"
        )?,
        format!("{}|{}|active", living.id, living.login)
    );
    // Who gets what it owns is known by name, too.
    copy.psql_in("app", &format!("select leasehold.revoke('{}')", making.id))?;
    wait_until(SOON, "the heir has the table", || {
        Ok(copy.psql_in(
            "app",
            "select tableowner from pg_tables where tablename = 'made'",
        )? == "heir")
    })?;
    copy.log_in(&living.login, &living.password).await?;
    copy.psql_in("app", &format!("select leasehold.revoke('{}')", living.id))?;
    wait_until(SOON, "the login is gone", || {
        Ok(copy.psql(&format!(
            "select count(*) from pg_roles where rolname = '{}'",
            living.login
        ))? == "0")
    })
}
