//! Recipes by statements: what runs, as whose work, and what is refused with which cure. Everything goes through
//! `leasehold.define_role` and `leasehold.issue`, as a person at `psql` would.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Cluster, Options, refused};

const GUIDE: &str = r#"CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' INHERIT; GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{{name}}";"#;

fn cluster() -> Result<Cluster> {
    let cluster = Cluster::start(Options::default())?;
    cluster
        .psql("create table orders (id int, item text); insert into orders values (1, 'tea')")?;
    Ok(cluster)
}

/// A SQL array of texts, each in quotes of its own.
fn array(texts: &[&str]) -> String {
    let quoted: Vec<String> = texts
        .iter()
        .map(|text| format!("'{}'", text.replace('\'', "''")))
        .collect();
    format!("array[{}]::text[]", quoted.join(", "))
}

/// Defines `role` as `definer`.
fn define(cluster: &Cluster, definer: &str, role: &str, creation: &[&str]) -> Result<()> {
    let text = format!(
        "select leasehold.define_role('{role}', creation_statements => {})",
        array(creation)
    );
    cluster.psql_as(definer, "postgres", &text).map(drop)
}

/// Defines `role` as the superuser and issues a lease of it: the login's name and password.
fn issue(cluster: &Cluster, role: &str, creation: &[&str]) -> Result<(String, String)> {
    define(cluster, "postgres", role, creation)?;
    issue_again(cluster, role)
}

fn issue_again(cluster: &Cluster, role: &str) -> Result<(String, String)> {
    let row = cluster.psql(&format!(
        "select login, password from leasehold.issue('{role}', ttl => '1h')"
    ))?;
    let (login, password) = row
        .split_once('|')
        .with_context(|| format!("one login: {row}"))?;
    Ok((login.to_owned(), password.to_owned()))
}

#[tokio::test]
async fn the_guides_text_works_as_one_and_as_several() -> Result<()> {
    let cluster = cluster()?;
    let (create, grant) = GUIDE.split_once("; ").context("two statements")?;
    for (role, texts) in [("one", vec![GUIDE]), ("two", vec![create, grant])] {
        let (login, password) = issue(&cluster, role, &texts)?;
        let mut session = cluster.log_in(&login, &password).await?;
        let item: String = sqlx::query_scalar("select item from orders")
            .fetch_one(&mut session)
            .await?;
        assert_eq!(item, "tea");
        let write = sqlx::query("insert into orders values (2, 'milk')")
            .execute(&mut session)
            .await
            .expect_err("a reader can not write");
        let state = write
            .as_database_error()
            .and_then(|e| e.code())
            .unwrap_or_default();
        assert_eq!(state, "42501");
        let exact = cluster.psql(&format!(
            "select a.rolvaliduntil = l.expires_at from leasehold.leases l
               join pg_roles a on a.rolname = l.login where l.login = '{login}'"
        ))?;
        assert_eq!(
            exact, "t",
            "VALID UNTIL is the lease's own end, not the rounded one"
        );
    }
    Ok(())
}

/// Each text with a question about its login `%`, to be answered yes.
#[test]
fn texts_mean_what_postgresql_reads() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql("create role readers; create schema app; create table app.t (a text)")?;
    let create = r#"CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}'"#;
    let limit = "select rolcanlogin and rolconnlimit = 7 from pg_roles where rolname = '%'";
    let comment = |text: &str| {
        format!(
            "select shobj_description(oid, 'pg_authid') = '{text}' from pg_roles where rolname = '%'"
        )
    };
    let table: &[(&[&str], String)] = &[
        (&[create, r#"ALTER ROLE "{{username}}" CONNECTION LIMIT 7"#], limit.into()),
        (&["\n;;\nCREATE USER {{name}}\n;\n ALTER ROLE\n {{name}} CONNECTION LIMIT 7;"], limit.into()),
        (&[r#"CREATE ROLE "{{name}}" LOGIN -- END; '{{name}}"#, r#"/* ' */ ALTER ROLE "{{name}}" CONNECTION LIMIT 7"#], limit.into()),
        (&[r#"DO $$ BEGIN CREATE ROLE "{{name}}" LOGIN; ALTER ROLE "{{name}}" CONNECTION LIMIT 7; end $$;"#], limit.into()),
        (&[r#"DO $x$ BEGIN EXECUTE E'CREATE ROLE "{{name}}" LOGIN CONNECTION LIMIT 7'; END $x$; SELECT 1; SELECT 2"#], limit.into()),
        (&[r#"SELECT '\'; CREATE ROLE "{{name}}" LOGIN CONNECTION LIMIT 7"#], limit.into()),
        (&[r#"CREATE ROLE "{{name}}" LOGIN; COMMENT ON ROLE "{{name}}" IS 'a;b END; c'"#], comment("a;b END; c")),
        (&[r#"CREATE ROLE "{{name}}" LOGIN; COMMENT ON ROLE "{{name}}" IS E'it\'s; {{unknown}} {{ name }}'"#], comment("it''s; {{unknown}} {{ name }}")),
        (&[r#"CREATE ROLE "{{name}}" LOGIN; COMMENT ON ROLE "{{name}}" IS $c$of '{{name}}'; $c$"#], comment("of ''%''; ")),
        (&[r#"CREATE ROLE "{{name}}" LOGIN NOINHERIT IN ROLE readers NOSUPERUSER"#], "select pg_has_role('%', 'readers', 'member') and not rolinherit from pg_roles where rolname = '%'".into()),
        (&[create, r#"GRANT readers TO "{{name}}""#], "select pg_has_role('%', 'readers', 'usage')".into()),
        (&[create, r#"ALTER ROLE "{{name}}" SET work_mem = '1MB'"#], "select setconfig = '{work_mem=1MB}' from pg_db_role_setting s join pg_roles r on r.oid = s.setrole where rolname = '%'".into()),
        (&[create, r#"CREATE ROLE "{{name}}-child"; GRANT "{{name}}" TO "{{name}}-child""#], "select pg_has_role('%-child', '%', 'member')".into()),
        (&[create, "SET LOCAL search_path = app; INSERT INTO t VALUES ('{{name}}')", "UPDATE t SET a = a || '!'"], "select exists (select from app.t where a = '%!')".into()),
        (&["SET search_path = app; CREATE TABLE made AS SELECT '{{expiration}}'::timestamptz AS until; EXPLAIN SELECT 1", create], "select until > now() from app.made where '%' <> ''".into()),
        (&[r#"CREATE ROLE "{{name}}" LOGIN SUPERUSER"#], "select rolsuper from pg_roles where rolname = '%'".into()),
    ];
    for (number, (texts, question)) in table.iter().enumerate() {
        let (login, _) =
            issue(&cluster, &format!("r{number}"), texts).with_context(|| format!("{texts:?}"))?;
        let answer = cluster.psql(&question.replace('%', &login))?;
        ensure!(answer == "t", "{texts:?}: {question} says {answer:?}");
    }
    cluster.psql("select leasehold.revoke(lease_id) from leasehold.leases")?;
    Ok(())
}

#[test]
fn what_cannot_run_is_refused_with_its_cure() -> Result<()> {
    let cluster = cluster()?;
    let table: &[(&str, &str, &[&str])] = &[
        ("BEGIN", "42P14", &["transaction control"]),
        (
            "SAVEPOINT a; SELECT 1; RELEASE a",
            "42P14",
            &["transaction control", "HINT"],
        ),
        (
            "SET TRANSACTION READ ONLY",
            "42P14",
            &["transaction control"],
        ),
        (
            "SET ROLE postgres",
            "42P14",
            &["SET ROLE", "defined the role"],
        ),
        ("RESET ROLE", "42P14", &["SET ROLE"]),
        (
            "SET SESSION AUTHORIZATION postgres",
            "42P14",
            &["SET SESSION AUTHORIZATION"],
        ),
        (
            "SET CONSTRAINTS ALL IMMEDIATE",
            "42P14",
            &["SET CONSTRAINTS"],
        ),
        ("PREPARE p AS SELECT 1", "42P14", &["DO block"]),
        ("EXECUTE p", "42P14", &["prepared statement"]),
        (
            "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
            "42P14",
            &["cursor"],
        ),
        ("CLOSE ALL", "42P14", &["cursor"]),
        ("LISTEN x", "42P14", &["NOTIFY works"]),
        ("DISCARD ALL", "42P14", &["DISCARD"]),
        (
            "CREATE TEMP TABLE x (a int)",
            "42P14",
            &["temporary", "common table expression"],
        ),
        ("SELECT 1 AS a INTO TEMP x", "42P14", &["temporary"]),
        ("CREATE TEMP VIEW x AS SELECT 1", "42P14", &["temporary"]),
        ("COPY orders TO STDOUT", "42P14", &["COPY"]),
        (
            "DO $$ BEGIN CREATE TEMP TABLE x (a int); END $$",
            "42501",
            &["security-restricted", "HINT"],
        ),
        (
            "DO $$ BEGIN SET ROLE postgres; END $$",
            "42501",
            &["security-definer", "HINT"],
        ),
        ("DO $$ BEGIN COMMIT; END $$", "2D000", &[]),
        (
            "CREATE DATABASE never",
            "25001",
            &["CREATE DATABASE cannot run inside a transaction block"],
        ),
        ("VACUUM", "25001", &[]),
        ("SELECT $1", "42P02", &[]),
        ("SELECT 1/0", "22012", &[]),
        ("GRANT SELECT ON nowhere TO {{name}}", "42P01", &[]),
        ("SELECT 'open", "42601", &[]),
        ("SELECT U&'{{name}}'", "42602", &["plain quotes"]),
        (
            "DO $$ BEGIN PERFORM {{expiration}}; END $$",
            "42602",
            &["'{{expiration}}'"],
        ),
    ];
    for (number, (text, state, words)) in table.iter().enumerate() {
        let role = format!("r{number}");
        let issued = issue(&cluster, &role, &[r#"CREATE ROLE "{{name}}" LOGIN"#, text]);
        refused(issued, state, words).with_context(|| (*text).to_owned())?;
    }
    refused(
        issue(&cluster, "blank", &[" ;; -- nothing\n", ""]),
        "42601",
        &["blank", "HINT"],
    )?;
    let left = cluster.psql("select count(*) from leasehold.leases")?;
    assert_eq!(left, "0", "a refused issue leaves no lease");
    Ok(())
}

/// A name is data wherever it stands: in quotes of any kind, bare, and in a body.
#[test]
fn a_name_cannot_inject() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql("create role victim")?;
    let texts: &[&str] = &[
        r#"CREATE ROLE "{{name}}" LOGIN; COMMENT ON ROLE "{{name}}" IS '{{name}}'"#,
        r#"CREATE ROLE {{name}} LOGIN; COMMENT ON ROLE {{name}} IS E'{{name}}'"#,
        r#"CREATE ROLE {{name}} LOGIN; COMMENT ON ROLE {{name}} IS $x$DO$x$; SELECT '{{name}}' -- {{name}}"#,
    ];
    let names: &[&str] = &[
        r#"x" SUPERUSER; DROP ROLE victim; --"#,
        r#"'; DROP ROLE victim; --"#,
        r"\'; DROP ROLE victim; --",
        r#"*/ "; DROP ROLE victim; /*"#,
        "$$; DROP ROLE victim; $$",
        "a--b",
        "{{password}}",
    ];
    for (number, text) in texts.iter().enumerate() {
        let role = format!("r{number}");
        define(&cluster, "postgres", &role, &[text])?;
        for name in names {
            let quoted = name.replace('\'', "''");
            let issued = cluster.psql(&format!(
                "select leasehold.revoke(lease_id) is null from leasehold.issue('{role}', login => '{quoted}')"
            ));
            issued.with_context(|| format!("{name} in {text}"))?;
        }
    }
    let body = [r#"DO $$ BEGIN CREATE ROLE "{{name}}" LOGIN; END $$"#];
    define(&cluster, "postgres", "body", &body)?;
    let bare = ["DO $$ BEGIN CREATE ROLE {{name}} LOGIN; END $$"];
    define(&cluster, "postgres", "bare", &bare)?;
    let login = |role: &str, name: &str| {
        let quoted = name.replace('\'', "''");
        cluster.psql(&format!(
            "select login from leasehold.issue('{role}', login => '{quoted}')"
        ))
    };
    assert_eq!(login("body", "v-a b;c")?, "v-a b;c");
    assert_eq!(login("bare", "v_a")?, "v_a");
    refused(login("body", r#"x" SUPERUSER"#), "42602", &["quote"])?;
    refused(
        login("body", "x$$; DROP ROLE victim"),
        "42602",
        &["delimiter"],
    )?;
    refused(login("bare", "x superuser"), "42602", &["without quotes"])?;
    let safe = cluster.psql("select count(*), bool_or(rolsuper) from pg_roles where rolname = 'victim' or rolname like 'x%'")?;
    ensure!(safe.starts_with('1') || safe.ends_with('f'), "{safe}");
    assert_eq!(
        cluster.psql("select count(*) from pg_roles where rolname = 'victim'")?,
        "1"
    );
    assert_eq!(
        cluster.psql("select count(*) from pg_roles where rolsuper")?,
        "1"
    );
    Ok(())
}

#[test]
fn statements_that_make_no_login_are_for_superusers() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql(
        "create role author login; grant leasehold_definer, leasehold_issuer to author; create table seen (a text); grant insert on seen to author",
    )?;
    let text = ["INSERT INTO seen VALUES ('{{name}}')"];
    let (login, _) = issue(&cluster, "none", &text)?;
    assert_eq!(cluster.psql("select count(*) from seen")?, "1");
    assert_eq!(
        cluster.psql(&format!(
            "select count(*) from pg_roles where rolname = '{login}'"
        ))?,
        "0"
    );
    define(&cluster, "author", "none2", &text)?;
    refused(
        issue_again(&cluster, "none2"),
        "42704",
        &["left no login", "HINT"],
    )?;
    assert_eq!(cluster.psql("select count(*) from seen")?, "1");
    Ok(())
}

#[test]
fn renewal_and_revocation_statements_run() -> Result<()> {
    let cluster = cluster()?;
    cluster.psql(
        "create table seen (what text, name text);
         create role author login; grant leasehold_definer, leasehold_issuer to author; grant insert on seen to author",
    )?;
    let define = |definer: &str, role: &str, renewal: &str, revocation: &str| {
        let text = format!(
            "select leasehold.define_role('{role}', creation_statements => {}, renewal_statements => {}, revocation_statements => {})",
            array(&[r#"CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}'"#]),
            array(&[renewal]),
            array(&[revocation]),
        );
        cluster.psql_as(definer, "postgres", &text)
    };
    let renewal = r#"INSERT INTO seen VALUES ('renewed {{password}}', '{{username}}'); ALTER ROLE "{{name}}" VALID UNTIL '{{expiration}}'"#;
    let revocation =
        r#"INSERT INTO seen VALUES ('ended', '{{name}}'); DROP ROLE IF EXISTS "{{name}}""#;
    for definer in ["postgres", "author"] {
        define(definer, definer, renewal, revocation)?;
        let (login, _) = issue_again(&cluster, definer)?;
        let lease = cluster.psql(&format!(
            "select lease_id from leasehold.leases where login = '{login}'"
        ))?;
        cluster.psql(&format!("select leasehold.renew('{lease}', '2h')"))?;
        let exact = cluster.psql(&format!(
            "select a.rolvaliduntil = l.expires_at and l.expires_at > now() + interval '90 minutes'
               from leasehold.leases l join pg_roles a on a.rolname = l.login where l.login = '{login}'"
        ))?;
        assert_eq!(exact, "t", "renewed by {definer}");
        let seen =
            format!("select string_agg(what, ',' order by what) from seen where name = '{login}'");
        assert_eq!(
            cluster.psql(&seen)?,
            "renewed {{password}}",
            "a renewal has no password"
        );
        cluster.psql(&format!("select leasehold.revoke('{lease}')"))?;
        cluster.psql(&format!(
            "select * from leasehold.await_ended(array['{lease}'], '10s')"
        ))?;
        assert_eq!(
            cluster.psql(&seen)?,
            "ended,renewed {{password}}",
            "ended by {definer}"
        );
        let left = cluster.psql(&format!(
            "select count(*) from pg_roles where rolname = '{login}'"
        ))?;
        assert_eq!(left, "0");
    }

    // A failing text stops nothing of ours, and says why.
    define("author", "bad", "SELECT 1/0", "SELECT 1/0")?;
    let (login, _) = issue_again(&cluster, "bad")?;
    let lease = cluster.psql(&format!(
        "select lease_id from leasehold.leases where login = '{login}'"
    ))?;
    refused(
        cluster.psql(&format!("select leasehold.renew('{lease}', '2h')")),
        "22012",
        &[],
    )?;
    cluster.psql(&format!("select leasehold.revoke('{lease}')"))?;
    cluster.psql(&format!(
        "select * from leasehold.await_ended(array['{lease}'], '10s')"
    ))?;
    assert_eq!(
        cluster.psql(&format!(
            "select count(*) from pg_roles where rolname = '{login}'"
        ))?,
        "0"
    );
    let why = cluster.psql(&format!(
        "select last_error from leasehold.history where lease_id = '{lease}'"
    ))?;
    ensure!(why.contains("division by zero"), "{why}");
    Ok(())
}
