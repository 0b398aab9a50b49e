//! Recipes between people who do not trust each other. A definer must not reach what the caller may do, a caller
//! must not reach what the definer may do, and a login must not get more than its definer could give.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Cluster, Options, refused};

/// `author` defines and owns a little, `caller` issues, `postgres` has it all.
fn cluster() -> Result<Cluster> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql(
        "create role author login; create role caller login;
         grant leasehold_definer, leasehold_issuer to author; grant leasehold_issuer to caller;
         create table orders (id int, item text);
         create table box (a int); alter table box owner to author;
         create schema shop authorization author",
    )?;
    Ok(cluster)
}

fn define(cluster: &Cluster, definer: &str, role: &str, creation: &str) -> Result<()> {
    let text = format!(
        "select leasehold.define_role('{role}', creation_statements => array[$text${creation}$text$])"
    );
    cluster.psql_as(definer, "postgres", &text).map(drop)
}

fn issue(cluster: &Cluster, caller: &str, role: &str) -> Result<String> {
    cluster.psql_as(
        caller,
        "postgres",
        &format!("select login from leasehold.issue('{role}')"),
    )
}

fn define_and_issue(
    cluster: &Cluster,
    definer: &str,
    role: &str,
    creation: &str,
) -> Result<String> {
    define(cluster, definer, role, creation)?;
    issue(cluster, definer, role)
}

const CREATE: &str = r#"CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}';"#;

/// The way that made a superuser in a prototype: a deferred trigger queued while the definer's rights are in force
/// fires at COMMIT with the rights of the session, here the superuser's.
#[test]
fn a_deferred_trigger_cannot_wait_for_the_callers_rights() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql_as(
        "author",
        "postgres",
        "create function shop.rise() returns trigger language plpgsql as
             $$ begin execute 'alter role author superuser'; return null; end $$;
         create constraint trigger later after insert on box deferrable initially deferred
             for each row execute function shop.rise()",
    )?;
    let insert = "INSERT INTO box VALUES (1)";
    for (role, text) in [
        ("plain", insert.to_owned()),
        ("block", format!("DO $$ BEGIN {insert}; END $$")),
    ] {
        define(&cluster, "author", role, &format!("{CREATE} {text}"))?;
        refused(
            issue(&cluster, "postgres", role),
            "42501",
            &["deferred trigger"],
        )?;
    }
    // Made immediate it would fire at once, with the definer's own rights; that is refused, too (see below).
    let now = format!("{CREATE} DO $$ BEGIN SET CONSTRAINTS ALL IMMEDIATE; {insert}; END $$");
    define(&cluster, "author", "now", &now)?;
    refused(
        issue(&cluster, "postgres", "now"),
        "42501",
        &["SET CONSTRAINTS"],
    )?;
    assert_eq!(
        cluster.psql("select rolsuper from pg_roles where rolname = 'author'")?,
        "f"
    );
    Ok(())
}

/// The other way round: what a caller has queued before waits for COMMIT, or for somebody to say `SET CONSTRAINTS`, and
/// then fires with the rights of the moment. A recipe of a superuser's that said so, from where only running it shows,
/// would make its callers superusers.
#[test]
fn a_caller_s_deferred_trigger_cannot_fire_with_the_definer_s_rights() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql(
        "create schema den authorization caller;
         create function public.settle() returns void language plpgsql as $$ begin set constraints all immediate; end $$",
    )?;
    cluster.psql_as(
        "caller",
        "postgres",
        "create table den.t (a int);
         create function den.rise() returns trigger language plpgsql as
             $$ begin execute 'alter role caller superuser'; return null; end $$;
         create constraint trigger later after insert on den.t deferrable initially deferred
             for each row execute function den.rise()",
    )?;
    for (role, text) in [
        ("block", "DO $$ BEGIN SET CONSTRAINTS ALL IMMEDIATE; END $$"),
        ("call", "SELECT public.settle()"),
    ] {
        define(&cluster, "postgres", role, &format!("{CREATE} {text}"))?;
        refused(
            cluster.psql_as(
                "caller",
                "postgres",
                &format!(
                    "begin; insert into den.t values (1); select leasehold.issue('{role}'); commit"
                ),
            ),
            "42501",
            &["SET CONSTRAINTS"],
        )?;
    }
    // Outside of a recipe it is anybody's, with their own rights.
    refused(
        cluster.psql_as(
            "caller",
            "postgres",
            "begin; insert into den.t values (1); select public.settle()",
        ),
        "42501",
        &["superuser"],
    )?;
    assert_eq!(
        cluster.psql("select rolsuper from pg_roles where rolname = 'caller'")?,
        "f"
    );
    Ok(())
}

#[test]
fn statements_have_the_definers_rights_and_no_more() -> Result<()> {
    let cluster = cluster()?;
    for (role, text, state) in [
        ("read", "SELECT * FROM orders", "42501"),
        ("grant", r#"GRANT SELECT ON orders TO "{{name}}""#, "42501"),
        (
            "all",
            r#"GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{{name}}""#,
            "42501",
        ),
        ("role", "CREATE ROLE another", "42501"),
        (
            "block",
            r#"DO $$ BEGIN CREATE ROLE another; END $$"#,
            "42501",
        ),
        ("super", r#"ALTER ROLE "{{name}}" SUPERUSER"#, "42501"),
        ("file", "COPY box FROM '/etc/passwd'", "42501"),
        ("ours", "DELETE FROM leasehold.recipes", "42501"),
        ("settings", "SET log_statement = 'none'", "42501"),
    ] {
        define(&cluster, "author", role, &format!("{CREATE} {text}"))?;
        refused(issue(&cluster, "postgres", role), state, &[]).with_context(|| text.to_owned())?;
    }
    let made = define_and_issue(
        &cluster,
        "author",
        "own",
        &format!(r#"{CREATE} GRANT SELECT ON box TO "{{{{name}}}}""#),
    )?;
    assert_eq!(
        cluster.psql(&format!(
            "select has_table_privilege('{made}', 'box', 'select')"
        ))?,
        "t"
    );
    Ok(())
}

/// The rights count when the lease is issued, not when the role was defined.
#[test]
fn rights_taken_from_the_definer_are_gone() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql("grant select on orders to author with grant option; create role readers; grant readers to author with admin option")?;
    define(
        &cluster,
        "author",
        "table",
        &format!(r#"{CREATE} GRANT SELECT ON orders TO "{{{{name}}}}""#),
    )?;
    define(
        &cluster,
        "author",
        "group",
        &format!(r#"{CREATE} GRANT readers TO "{{{{name}}}}""#),
    )?;
    define(
        &cluster,
        "author",
        "in",
        r#"CREATE ROLE "{{name}}" LOGIN IN ROLE readers"#,
    )?;
    for role in ["table", "group", "in"] {
        issue(&cluster, "author", role)?;
    }
    cluster.psql("revoke all on orders from author cascade; revoke readers from author")?;
    refused(issue(&cluster, "author", "table"), "42501", &[])?;
    refused(issue(&cluster, "author", "group"), "LH008", &["readers"])?;
    refused(issue(&cluster, "author", "in"), "LH008", &["readers"])?;
    Ok(())
}

/// PostgreSQL often says no more than a warning when it granted nothing.
#[test]
fn a_grant_that_gives_nothing_is_an_error() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql(
        "grant select on orders to author;
         create schema other; grant usage on schema other to author; create schema bare; grant usage on schema bare to author;
         create function other.f(int) returns int language sql as 'select 1'; revoke all on function other.f from public;
         grant execute on function other.f to author",
    )?;
    for (role, grant, object) in [
        ("table", "SELECT ON orders", "table orders"),
        ("schema", "USAGE ON SCHEMA other", "schema other"),
        ("some", "SELECT ON box, orders", "table orders"),
        (
            "function",
            "EXECUTE ON FUNCTION other.f(int)",
            "function other.f(integer)",
        ),
        (
            "functions",
            "EXECUTE ON ALL FUNCTIONS IN SCHEMA other",
            "function other.f(integer)",
        ),
        ("column", "SELECT (id) ON orders", "table orders"),
        (
            "database",
            "CREATE ON DATABASE postgres",
            "database postgres",
        ),
    ] {
        define(
            &cluster,
            "author",
            role,
            &format!(r#"{CREATE} GRANT {grant} TO "{{{{name}}}}""#),
        )?;
        refused(
            issue(&cluster, "author", role),
            "42501",
            &[object, "did not take effect", "author"],
        )
        .with_context(|| grant.to_owned())?;
    }
    for (role, grant) in [
        ("empty", "SELECT ON ALL TABLES IN SCHEMA bare"),
        ("own", "ALL ON box"),
        ("public", "CONNECT ON DATABASE postgres"),
    ] {
        define_and_issue(
            &cluster,
            "author",
            role,
            &format!(r#"{CREATE} GRANT {grant} TO "{{{{name}}}}""#),
        )
        .with_context(|| grant.to_owned())?;
    }
    Ok(())
}

/// The result is judged, whatever way led to it.
#[test]
fn a_login_cannot_have_what_only_a_superuser_may_give() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql(
        "grant pg_read_all_data to author with admin option;
         create role chief createrole; create role middle; grant chief to middle; grant middle to author with admin option;
         create role files; grant pg_write_server_files to files; grant files to author with admin option;
         create role maker createrole login; grant leasehold_definer, leasehold_issuer to maker",
    )?;
    let grant = |role: &str| format!(r#"{CREATE} GRANT {role} TO "{{{{name}}}}""#);
    for (role, text, words) in [
        (
            "data",
            grant("pg_read_all_data"),
            ["pg_read_all_data", "HINT"],
        ),
        ("chain", grant("middle"), ["CREATEROLE", "chief"]),
        ("files", grant("files"), ["pg_write_server_files", "HINT"]),
    ] {
        define(&cluster, "author", role, &text)?;
        refused(issue(&cluster, "author", role), "LH008", &words)?;
    }
    // Someone with CREATEROLE of his own goes round the extension's work, and is caught by the result.
    let made = r#"DO $$ BEGIN CREATE ROLE "{{name}}" LOGIN CREATEROLE; END $$"#;
    define(&cluster, "maker", "made", made)?;
    refused(issue(&cluster, "maker", "made"), "LH008", &["CREATEROLE"])?;
    let given = format!(
        r#"{CREATE} GRANT pg_execute_server_program TO "{{{{name}}}}" GRANTED BY CURRENT_USER"#
    );
    define(&cluster, "maker", "given", &given)?;
    refused(
        issue(&cluster, "maker", "given"),
        "LH008",
        &["pg_execute_server_program"],
    )?;
    // A superuser may say so.
    for (role, text) in [
        ("a", grant("pg_read_all_data")),
        ("b", made.to_owned()),
        ("c", grant("middle")),
    ] {
        define(&cluster, "postgres", role, &text)?;
        issue(&cluster, "caller", role)?;
    }
    Ok(())
}

/// What a caller has in the session does not change what the definer's statements mean.
#[test]
fn a_caller_cannot_bend_the_definers_names() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql("create schema trap; grant all on schema trap to caller; grant temp on database postgres to caller")?;
    define(
        &cluster,
        "author",
        "fill",
        &format!("{CREATE} INSERT INTO box VALUES (upper('4')::int)"),
    )?;
    define(
        &cluster,
        "postgres",
        "text",
        r#"SELECT '\'; CREATE ROLE "{{name}}" LOGIN; DO $$ BEGIN IF 'a\b' <> E'a\\b' THEN RAISE 'misread'; END IF; END $$"#,
    )?;
    let seen = cluster.psql_as(
        "caller",
        "postgres",
        "create temp table box (a int); grant all on box to public;
         create table trap.box (a int); grant all on trap.box to public;
         create function trap.upper(text) returns text language sql as 'select ''666''';
         set search_path = trap, pg_catalog; set standard_conforming_strings = off; set datestyle = german;
         select login from leasehold.issue('fill'); select login from leasehold.issue('text');
         select count(*) from pg_temp.box; select count(*) from trap.box;
         select pg_catalog.current_setting('search_path')",
    )?;
    let lines: Vec<&str> = seen.lines().collect();
    ensure!(lines[2..] == ["0", "0", "trap, pg_catalog"], "{seen}");
    assert_eq!(
        cluster.psql("select string_agg(a::text, ',') from public.box")?,
        "4"
    );
    Ok(())
}

/// A `SET` in a text ends with it, of whatever kind it was, and the caller's transaction never sees it.
#[test]
fn settings_of_a_text_end_with_it() -> Result<()> {
    let cluster = cluster()?;
    let text = format!(
        "SET work_mem = '7MB'; SET LOCAL statement_timeout = 1234; {CREATE} DO $$ BEGIN PERFORM set_config('maintenance_work_mem', '7MB', false); SET lock_timeout = 77; IF current_setting('work_mem') <> '7MB' THEN RAISE 'lost'; END IF; END $$"
    );
    define(&cluster, "author", "sets", &text)?;
    let seen = cluster.psql_as(
        "caller",
        "postgres",
        "begin; select login is null from leasehold.issue('sets');
         select current_setting('work_mem') || ' ' || current_setting('statement_timeout') || ' ' ||
                current_setting('maintenance_work_mem') || ' ' || current_setting('lock_timeout') || ' ' || current_user;
         commit",
    )?;
    assert_eq!(seen, "f\n4MB 0 64MB 0 caller");
    Ok(())
}

/// Neither the log with every statement in it, nor `pg_stat_statements`, nor any error shows the verifier or the
/// password, whichever way a text uses them.
#[test]
fn no_text_shows_a_secret() -> Result<()> {
    let options = Options {
        preload: vec!["pg_stat_statements".to_owned(), "leasehold".to_owned()],
        ..Options::default()
    };
    let cluster = Cluster::start(
        options
            .set("log_statement", "all")
            .set("log_min_duration_statement", "0")
            .set("pg_stat_statements.track", "all")
            .set("compute_query_id", "on"),
    )?;
    cluster.psql("create extension pg_stat_statements")?;
    let texts = [
        CREATE,
        r#"CREATE ROLE "{{name}}" LOGIN; ALTER ROLE "{{name}}" PASSWORD '{{password}}'"#,
        r#"DO $$ BEGIN CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}'; END $$"#,
        r#"CREATE ROLE "{{name}}" LOGIN SUPERUSER PASSWORD '{{password}}'"#,
        "SELECT length('{{password}}'); CREATE ROLE {{name}} LOGIN",
    ];
    let mut secrets = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let role = format!("r{number}");
        define(&cluster, "postgres", &role, text)?;
        let row = cluster.psql(&format!(
            "select login, password from leasehold.issue('{role}')"
        ))?;
        let (login, password) = row.split_once('|').context("a login")?;
        secrets.push(password.to_owned());
        let verifier = cluster.psql(&format!(
            "/* quiet */ select rolpassword from pg_authid where rolname = '{login}'"
        ))?;
        secrets.push(
            verifier
                .rsplit(':')
                .next()
                .context("a verifier")?
                .to_owned(),
        );
    }
    for (number, text) in [
        r#"CREATE ROLE "{{name}}" LOGIN '{{password}}'"#,
        "SELECT '{{password}}'::int",
        r#"CREATE ROLE "{{name}}" LOGIN; SELECT 1/0 FROM (SELECT '{{password}}') s"#,
        r#"DO $$ BEGIN CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' SUPERUSER NOSUPERUSER; END $$"#,
    ]
    .iter()
    .enumerate()
    {
        let role = format!("bad{number}");
        define(&cluster, "postgres", &role, text)?;
        let error = issue(&cluster, "postgres", &role).expect_err("a wrong text").to_string();
        ensure!(!error.contains("SCRAM-SHA-256$"), "{error}");
    }
    let log = cluster.log()?;
    let statements = cluster.psql("select query from pg_stat_statements")?;
    for secret in &secrets {
        ensure!(secret.len() >= 16, "{secret} is no secret");
        ensure!(!log.contains(secret), "the log shows {secret}");
        ensure!(
            !statements.contains(secret),
            "pg_stat_statements shows {secret}"
        );
    }
    ensure!(!log.contains("SCRAM-SHA-256$"), "the log shows a verifier");
    ensure!(
        !statements.contains("SCRAM-SHA-256$"),
        "pg_stat_statements shows a verifier: {statements}"
    );
    Ok(())
}
