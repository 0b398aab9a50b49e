//! Recipes from `psql`: defined, replaced, dropped, and what a definer may hand out.

use anyhow::Result;
use leasehold_tests::{Cluster, Options, sqlstate};

fn prepared() -> Result<Cluster> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql(
        "create role readers nologin; create role writers nologin;
         create role definer login; grant leasehold_definer to definer;
         create role other login; grant leasehold_definer to other;",
    )?;
    Ok(cluster)
}

#[test]
fn the_same_text_has_the_same_digest_and_another_text_another() -> Result<()> {
    let cluster = prepared()?;
    let define = |more: &str| {
        cluster.psql(&format!(
            "select leasehold.define_role('r', member_of => '{{readers}}' {more})"
        ))
    };
    let first = define("")?;
    assert_eq!(first.len(), 64);
    assert_eq!(define("")?, first);
    assert_eq!(cluster.psql("select revision from leasehold.roles")?, "1");
    let mut seen = vec![first];
    for more in [
        ", max_ttl => '2 hours'",
        ", default_ttl => '5 minutes'",
        ", connection_limit => 3",
        ", settings => '{statement_timeout=30s}'",
        ", drop_owned => true",
        ", reassign_to => 'writers'",
        ", creation_statements => array['create role \"{{name}}\" login']",
        ", renewal_statements => array['select 1']",
        ", revocation_statements => array['select 1']",
        ", member_of => '{readers,writers}'",
    ] {
        let digest = if more.contains("member_of") {
            cluster.psql("select leasehold.define_role('r', member_of => '{readers,writers}')")?
        } else {
            define(more)?
        };
        assert!(!seen.contains(&digest), "{more}");
        seen.push(digest);
    }
    Ok(())
}

#[test]
fn the_digest_covers_the_definer() -> Result<()> {
    let cluster = prepared()?;
    let define = "select leasehold.define_role('r')";
    assert_ne!(
        cluster.psql_as("definer", "postgres", define)?,
        cluster.psql_as("other", "postgres", define)?
    );
    assert_eq!(
        cluster.psql("select definer from leasehold.roles")?,
        "other"
    );
    Ok(())
}

#[test]
fn an_older_revision_changes_nothing() -> Result<()> {
    let cluster = prepared()?;
    let define = |revision: i32, limit: i32| {
        cluster.psql(&format!(
            "select leasehold.define_role('r', connection_limit => {limit}, revision => {revision})"
        ))
    };
    let five = define(5, 1)?;
    assert_eq!(define(5, 1)?, five);
    assert_eq!(sqlstate(define(4, 1)), "LH002");
    assert_eq!(sqlstate(define(5, 2)), "LH002");
    assert_eq!(define(6, 1)?, five);
    assert_eq!(sqlstate(define(5, 1)), "LH002");
    assert_ne!(define(7, 2)?, five);

    let drop =
        |revision: i32| cluster.psql(&format!("select leasehold.drop_role('r', {revision})"));
    assert_eq!(sqlstate(drop(6)), "LH002");
    assert_eq!(drop(8)?, "t");
    assert_eq!(drop(8)?, "f");
    assert_eq!(
        sqlstate(define(7, 2)),
        "LH002",
        "a slow broker must not bring it back"
    );
    assert_eq!(cluster.psql("select count(*) from leasehold.roles")?, "0");
    define(9, 2)?;
    assert_eq!(cluster.psql("select count(*) from leasehold.roles")?, "1");
    Ok(())
}

#[test]
fn a_definer_hands_out_only_what_it_may() -> Result<()> {
    let cluster = prepared()?;
    let define = |user: &str| {
        cluster.psql_as(
            user,
            "postgres",
            "select leasehold.define_role('by_' || current_user, '{readers}') is not null",
        )
    };
    assert_eq!(sqlstate(define("definer")), "LH008");
    // Membership alone is no right to pass it on.
    cluster.psql("grant readers to definer")?;
    assert_eq!(sqlstate(define("definer")), "LH008");
    cluster.psql("grant readers to definer with admin option")?;
    assert_eq!(define("definer")?, "t");
    // An offer is one, also through membership in the role it was made to.
    cluster.psql("create role team; grant team to other; select leasehold.offer('readers', to_role => 'team')")?;
    assert_eq!(define("other")?, "t");

    // Both are asked again at each issue.
    let issue = |role: &str| {
        cluster.psql(&format!(
            "select login is not null from leasehold.issue('{role}')"
        ))
    };
    assert_eq!(issue("by_definer")?, "t");
    assert_eq!(issue("by_other")?, "t");
    cluster.psql("revoke admin option for readers from definer; select leasehold.withdraw('readers', 'team')")?;
    assert_eq!(sqlstate(issue("by_definer")), "LH008");
    assert_eq!(sqlstate(issue("by_other")), "LH008");

    // The same right stands behind a group in a text.
    for text in [
        "create role \"{{name}}\" login in role writers",
        "create role \"{{name}}\" login; grant writers to \"{{name}}\"",
    ] {
        let define = format!(
            "select leasehold.define_role('text', creation_statements => array[$t${text}$t$])"
        );
        cluster.psql_as("other", "postgres", &define)?;
        assert_eq!(sqlstate(issue("text")), "LH008", "{text}");
        cluster.psql("select leasehold.offer('writers', 'other')")?;
        assert_eq!(issue("text")?, "t", "{text}");
        cluster.psql("select leasehold.withdraw('writers', 'other')")?;
    }
    assert_eq!(
        cluster.psql("select leasehold.withdraw('writers', 'other')")?,
        "f"
    );
    Ok(())
}

#[test]
fn a_recipe_is_not_taken_over_by_a_namesake_of_its_definer_or_group() -> Result<()> {
    let cluster = prepared()?;
    cluster.psql("grant readers to definer with admin option")?;
    cluster.psql_as(
        "definer",
        "postgres",
        "select leasehold.define_role('r', '{readers}')",
    )?;
    cluster.psql(
        "drop role readers; create role readers; grant readers to definer with admin option",
    )?;
    let issue = || cluster.psql("select login is not null from leasehold.issue('r')");
    assert_eq!(sqlstate(issue()), "LH008");
    cluster.psql_as(
        "definer",
        "postgres",
        "select leasehold.define_role('r', '{readers}')",
    )?;
    assert_eq!(issue()?, "t");
    cluster.psql(
        "revoke all on database postgres from definer; drop role definer;
         create role definer superuser login",
    )?;
    assert_eq!(sqlstate(issue()), "LH008");
    Ok(())
}

#[test]
fn a_recipe_makes_its_login_as_it_says() -> Result<()> {
    let cluster = prepared()?;
    cluster.psql(
        "select leasehold.define_role('r', member_of => '{readers,writers}', connection_limit => 2,
                settings => array['statement_timeout=30s', $$app.who=o'clock {{name}}$$])",
    )?;
    let login = cluster.psql("select login from leasehold.issue('r')")?;
    let facts = cluster.psql(&format!(
        "select rolcanlogin, rolinherit, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolconnlimit,
                pg_has_role(oid, 'readers', 'usage'), pg_has_role(oid, 'writers', 'usage'), rolvaliduntil > now()
           from pg_roles where rolname = '{login}'"
    ))?;
    assert_eq!(facts, "t|t|f|f|f|f|f|2|t|t|t");
    let settings = cluster.psql_as(&login, "postgres", "show statement_timeout; show app.who")?;
    assert_eq!(settings, format!("30s\no'clock {login}"));
    Ok(())
}

#[test]
fn what_makes_no_sense_is_refused_when_it_is_defined() -> Result<()> {
    let cluster = prepared()?;
    let define =
        |arguments: &str| cluster.psql(&format!("select leasehold.define_role({arguments})"));
    for arguments in [
        "null",
        "''",
        "E'a\\nb'",
        "'r', default_ttl => '0'",
        "'r', max_ttl => '-1 hour'",
        "'r', max_ttl => '200 years'",
        "'r', connection_limit => -2",
        "'r', settings => '{nonsense}'",
        "'r', member_of => '{nobody_there}'",
        "'r', member_of => array[null]::name[]",
        "'r', reassign_to => 'nobody_there'",
        "'r', reassign_to => 'readers', drop_owned => true",
        "'r', grants => 'everything'",
    ] {
        assert_eq!(sqlstate(define(arguments)), "22023", "{arguments}");
    }
    assert_eq!(sqlstate(define("'r', reassign_to => 'postgres'")), "LH008");
    let as_definer = "select leasehold.define_role('r', reassign_to => 'writers')";
    assert_eq!(
        sqlstate(cluster.psql_as("definer", "postgres", as_definer)),
        "LH008"
    );
    assert_eq!(cluster.psql("select count(*) from leasehold.roles")?, "0");
    Ok(())
}

#[test]
fn what_logins_leave_behind_goes_to_nobody_with_power() -> Result<()> {
    let cluster = prepared()?;
    cluster.psql("create role heir; create role strong createrole; create role stronger in role strong; grant heir to definer")?;
    let define = |heir: &str| {
        cluster.psql_as(
            "definer",
            "postgres",
            &format!("select leasehold.define_role('r', reassign_to => '{heir}') is not null"),
        )
    };
    assert_eq!(define("heir")?, "t");
    for heir in [
        "writers",
        "strong",
        "stronger",
        "postgres",
        "pg_read_all_data",
    ] {
        assert_eq!(sqlstate(define(heir)), "LH008", "{heir}");
    }
    // Asked again at each issue.
    let issue = || cluster.psql("select login is not null from leasehold.issue('r')");
    assert_eq!(issue()?, "t");
    cluster.psql("alter role heir createdb")?;
    assert_eq!(sqlstate(issue()), "LH008");
    cluster.psql("alter role heir nocreatedb; revoke heir from definer")?;
    assert_eq!(sqlstate(issue()), "LH008");
    cluster.psql("drop role heir; create role heir; grant heir to definer")?;
    assert_eq!(sqlstate(issue()), "LH008");
    Ok(())
}
