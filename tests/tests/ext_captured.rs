//! Somebody has taken over a login that may call the extension's functions, and calls all of them, as they should not be
//! called. Every function there is comes from the catalog, so that a new one is tried as well.

use anyhow::{Result, ensure};
use leasehold_tests::{Cluster, Options, wait_until};
use std::time::Duration;

const ACTORS: [&str; 5] = ["issuer", "definer", "admin", "reader", "stranger"];

fn prepared() -> Result<Cluster> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql(
        "create role readers nologin;
         create role issuer login in role leasehold_issuer; create role definer login in role leasehold_definer;
         create role admin login in role leasehold_admin; create role reader login in role leasehold_reader;
         create role stranger login; create role owner login password 'known' in role leasehold_issuer, leasehold_definer;
         select leasehold.offer('readers', to_role => 'owner');
         select leasehold.define_role('r', '{readers}')",
    )?;
    cluster.psql_as(
        "owner",
        "postgres",
        "select leasehold.register_scope('store', 'a key that nobody can guess');
         select leasehold.define_role('m/r', '{readers}', scope => 'store');
         select leasehold.issue('m/r', request_id => 'theirs', owners => '{token}', scope => 'store')",
    )?;
    Ok(cluster)
}

/// All roles but their own logins', the memberships, the recipes, and the lease of the other store.
fn picture(cluster: &Cluster) -> Result<String> {
    cluster.psql(
        "select a::text from pg_authid a where rolname !~ '^lh_' order by oid;
         select m.roleid::regrole, m.member::regrole, m.admin_option from pg_auth_members m
           join pg_authid a on a.oid = m.member and a.rolname !~ '^lh_' order by 1, 2;
         select scope, role, digest from leasehold.roles order by 1, 2;
         select lease_id, state, expires_at from leasehold.leases where scope = 'store';
         select owner, ended, revision from leasehold.owners where scope = 'store';
         select scope, login from leasehold.scope_logins order by 1, 2;
         select group_role, to_role from leasehold.offers",
    )
}

/// The SQLSTATE that a call ends with; `None` if it succeeds.
fn outcome(cluster: &Cluster, actor: &str, call: &str) -> Option<String> {
    let error = cluster.psql_as(actor, "postgres", call).err()?.to_string();
    let (_, rest) = error
        .split_once("ERROR:  ")
        .unwrap_or(("", "no SQLSTATE, the server went away"));
    Some(rest.chars().take(5).collect())
}

#[test]
fn whoever_calls_everything_with_nothing_changes_nothing() -> Result<()> {
    let cluster = prepared()?;
    let before = picture(&cluster)?;
    let calls = cluster.psql(
        "select format('select leasehold.%I(%s)', p.proname,
                       (select string_agg('null::' || format_type(t.t, null), ', ' order by t.n)
                          from unnest(p.proargtypes::oid[]) with ordinality t (t, n))),
                (select string_agg(r.rolname, ',') from pg_roles r where has_function_privilege(r.oid, p.oid, 'execute'))
           from pg_proc p
          where p.pronamespace = 'leasehold'::regnamespace and p.prorettype <> 'event_trigger'::regtype
          order by p.proname",
    )?;
    ensure!(calls.lines().count() >= 20, "{calls}");
    for line in calls.lines() {
        let (call, allowed) = line.rsplit_once('|').unwrap_or((line, ""));
        for actor in ACTORS {
            let seen = outcome(&cluster, actor, call);
            let state = seen.as_deref();
            if allowed.split(',').any(|name| name == actor) {
                // A refusal of ours, or a harmless answer; never an internal error, an assertion or a crash.
                ensure!(
                    state.is_none_or(|state| state.starts_with("LH")
                        || state.starts_with("22")
                        || state == "42501"),
                    "{actor}: {call}: {seen:?}"
                );
            } else {
                ensure!(state == Some("42501"), "{actor}: {call}: {seen:?}");
            }
        }
    }
    assert_eq!(picture(&cluster)?, before);
    Ok(())
}

#[test]
fn a_captured_issuer_reaches_nothing_that_is_not_its_own() -> Result<()> {
    let cluster = prepared()?;
    let before = picture(&cluster)?;
    let verifier = "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$";
    let table: &[(&str, Option<&str>)] = &[
        // Somebody else's name, and names that are no names.
        ("issue('r', login => 'postgres')", Some("LH004")),
        ("issue('r', login => 'owner')", Some("LH004")),
        ("issue('r', login => 'issuer')", Some("LH004")),
        ("issue('r', login => 'leasehold_admin')", Some("LH004")),
        ("issue('r', login => 'pg_read_all_data')", Some("LH004")),
        ("issue('r', login => 'pg_mine')", Some("LH004")),
        ("issue('r', login => 'public')", Some("LH004")),
        ("issue('r', login => '')", Some("LH004")),
        // What is no verifier.
        ("issue('r', verifier => 'plain')", Some("22023")),
        (
            "issue('r', verifier => 'md5d41d8cd98f00b204e9800998ecf8427e')",
            Some("22023"),
        ),
        // Other people's recipes, leases, owners and requests.
        ("issue('m/r', scope => 'store')", Some("LH008")),
        ("issue('m/r')", Some("LH001")),
        ("issue('r', scope => 'elsewhere')", Some("LH008")),
        ("renew('theirs')", Some("LH005")),
        ("renew('theirs', scope => 'store')", Some("LH008")),
        ("revoke('theirs')", None),
        ("revoke('theirs', 'store')", Some("LH008")),
        ("revoke_leases('{theirs}')", None),
        ("revoke_leases('{theirs}', 'store')", Some("LH008")),
        ("revoke_prefix('')", None),
        ("revoke_prefix('', 10, 'store')", Some("LH008")),
        ("revoke_owner('token')", None),
        ("revoke_owner('token', 'store')", Some("LH008")),
        ("owner_ends('token', null, '0', 99, 'store')", Some("LH008")),
        ("settle('{theirs}', 'store')", Some("LH008")),
        ("changes(10, 'store')", Some("LH008")),
        ("ack_changes('{1}', 'store')", Some("LH008")),
        ("await_ended('{theirs}', '1 s', 'store')", Some("LH008")),
        (
            "register_scope('store', 'another key, long enough')",
            Some("LH008"),
        ),
        (
            "register_scope('sql', 'another key, long enough')",
            Some("22023"),
        ),
        // What is for others.
        ("define_role('r', '{readers}')", Some("42501")),
        ("drop_role('r')", Some("42501")),
        ("offer('postgres', 'issuer')", Some("42501")),
        ("withdraw('readers', 'owner')", Some("42501")),
        ("check()", Some("42501")),
        ("sweep()", None),
    ];
    for (call, want) in table {
        let seen = outcome(&cluster, "issuer", &format!("select leasehold.{call}"));
        assert_eq!(seen.as_deref(), *want, "{call}");
    }
    let half = outcome(
        &cluster,
        "issuer",
        &format!("select leasehold.issue('r', verifier => '{verifier}')"),
    );
    assert_eq!(half.as_deref(), Some("22023"), "half a verifier");
    // A text that is no name stays a name; the login is harmless, and gone with its lease.
    cluster.psql_as(
        "issuer",
        "postgres",
        r#"select leasehold.issue('r', login => 'lh_x" superuser; alter role issuer superuser; --', request_id => 'own')"#,
    )?;
    assert_eq!(picture(&cluster)?, before);
    assert_eq!(
        cluster.psql(
            "select count(*) from pg_roles where rolsuper or rolcreaterole or rolbypassrls"
        )?,
        "1"
    );
    Ok(())
}

/// A key is for one installation: what a copy has brought along of its original counts no more once it has a label of its own.
#[test]
fn a_key_counts_for_one_installation() -> Result<()> {
    let cluster = prepared()?;
    cluster.psql("select leasehold.revoke_prefix('', 10, 'store')")?;
    wait_until(Duration::from_secs(10), "the lease is gone", || {
        Ok(cluster.psql("select count(*) from leasehold.leases")? == "0")
    })?;
    cluster.psql(
        "security label for leasehold on database postgres is '6b6c1a52-4b5f-4d0e-9a50-111111111111'",
    )?;
    let outcome = |key: &str| {
        let call = format!("select leasehold.register_scope('store', '{key}')");
        outcome(&cluster, "issuer", &call)
    };
    assert_eq!(outcome("the key of that installation"), None);
    assert_eq!(
        outcome("a key that nobody can guess").as_deref(),
        Some("LH008")
    );
    assert_eq!(
        cluster.psql("select login from leasehold.scope_logins where scope = 'store'")?,
        "issuer",
        "who has shown the old key"
    );
    Ok(())
}
