//! Stores that an earlier version has made. What they hold is worth as much after an upgrade.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Cluster, Options, Served, Setup};
use std::path::Path;

/// The last step under which a lease said itself that it was unconfirmed.
const BEFORE_INTENTS: usize = 5;

/// A mount, a target that is not there any more, and three leases.
const LEASES: &str = "
insert into leasehold_broker.mounts (mount_id, kind, path, type, accessor)
values ('00000000-0000-0000-0000-00000000000a', 'secret', 'db/', 'database', 'database_1');
insert into leasehold_broker.targets (target_id, system_identifier, database_oid)
values ('00000000-0000-0000-0000-00000000000b', '1', 5);
insert into leasehold_broker.database_configs (config_id, mount_id, name, target_id, settings, sealed_connection)
values ('00000000-0000-0000-0000-00000000000c', '00000000-0000-0000-0000-00000000000a', 'c',
        '00000000-0000-0000-0000-00000000000b', '{}', '');
insert into leasehold_broker.leases (lease_id, mount_id, path, config_id, target_id, role, recipe, login, state, ttl_seconds,
                                     max_ttl_seconds, expires_at, revoking_at)
select 'db/creds/r/' || name, '00000000-0000-0000-0000-00000000000a', 'creds/r', '00000000-0000-0000-0000-00000000000c',
       '00000000-0000-0000-0000-00000000000b', 'r', 'database_1/r', 'v-' || name, state, 3600, 3600, now() + interval '1 hour', revoking_at
  from (values ('unconfirmed', 'intent', null), ('confirmed', 'issued', null), ('ending', 'issued', now()))
    as l (name, state, revoking_at)";

/// Database `store` as the first steps left it, with something in it.
fn store_of_an_earlier_version(cluster: &Cluster, steps: usize, content: &str) -> Result<()> {
    cluster.create_database("store")?;
    cluster.psql_in(
        "store",
        "create schema leasehold_broker;
         create table leasehold_broker.migrations
             (version integer primary key, name text not null, applied_at timestamptz not null default now())",
    )?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql/broker");
    let mut files = std::fs::read_dir(&folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.sort();
    ensure!(files.len() > steps, "there is no later step");
    for (version, file) in (1..).zip(files.iter().take(steps)) {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        cluster.psql_in("store", &format!("begin; {text}; commit"))?;
        cluster.psql_in(
            "store",
            &format!("insert into leasehold_broker.migrations (version, name) values ({version}, 'as a test')"),
        )?;
    }
    cluster.psql_in("store", content).map(drop)
}

/// What a broker has made of it.
fn upgraded(steps: usize, content: &str) -> Result<Cluster> {
    let cluster = Cluster::start(Options::default())?;
    store_of_an_earlier_version(&cluster, steps, content)?;
    let broker = Served::spawned(cluster.port(), "store", &Setup::default())?;
    broker.until_answers(|status| status == 501)?;
    Ok(cluster)
}

#[test]
fn what_an_earlier_version_has_not_confirmed_is_still_unconfirmed() -> Result<()> {
    let cluster = upgraded(BEFORE_INTENTS, LEASES)?;
    let unconfirmed = cluster.psql_in(
        "store",
        "select i.lease_id, i.ending, i.issued_at = l.issued_at, i.target_id = l.target_id
           from leasehold_broker.intents i join leasehold_broker.leases l using (lease_id) order by 1",
    )?;
    assert_eq!(
        unconfirmed,
        "db/creds/r/ending|t|t|t\ndb/creds/r/unconfirmed|f|t|t"
    );
    Ok(())
}

#[test]
fn a_broker_from_before_an_upgrade_issues_nothing_more() -> Result<()> {
    let cluster = upgraded(BEFORE_INTENTS, LEASES)?;
    // As it wrote an intent down, but for what it held in place: a lease without one would count as confirmed.
    let refused = cluster.psql_in(
        "store",
        "insert into leasehold_broker.leases
             (lease_id, mount_id, path, config_id, target_id, role, recipe, login, token_id, ttl_seconds, max_ttl_seconds,
              cap_seconds, expires_at)
         select 'db/creds/r/late', mount_id, path, config_id, target_id, role, recipe, login, token_id, ttl_seconds,
                max_ttl_seconds, cap_seconds, expires_at from leasehold_broker.leases limit 1",
    );
    let told = refused.err().context("it was written down")?;
    ensure!(format!("{told:#}").contains("issued_at"), "{told:#}");
    Ok(())
}

/// The last step under which policies had no marks.
const BEFORE_POLICY_MARKS: usize = 9;

#[test]
fn policies_have_marks_whoever_writes_them() -> Result<()> {
    let cluster = upgraded(
        BEFORE_POLICY_MARKS,
        "insert into leasehold_broker.policies (name, text) values ('a', ''), ('b', '')",
    )?;
    let different =
        "select count(distinct mark) from leasehold_broker.policies where name in ('a', 'b')";
    assert_eq!(cluster.psql_in("store", different)?, "2");
    let mark = || {
        cluster.psql_in(
            "store",
            "select mark from leasehold_broker.policies where name = 'a'",
        )
    };
    let before = mark()?;
    // As a broker of the former version writes one.
    cluster.psql_in(
        "store",
        "insert into leasehold_broker.policies (name, text) values ('a', 'x') \
         on conflict (name) do update set text = excluded.text, changed_at = now(), \
             revision = nextval('leasehold_broker.policy_revision')",
    )?;
    ensure!(mark()? != before, "the mark is still {before}");
    Ok(())
}
