//! `lint` and `doctor`: what they say of good and of bad texts and servers.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Cluster, Options};

fn lint(cluster: &Cluster, text: &str) -> Result<String> {
    cluster.psql(&format!(
        "select severity || ': ' || what from leasehold.lint(array[$text${text}$text$])"
    ))
}

#[test]
fn lint_says_what_a_text_will_do() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let create = r#"CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' CONNECTION LIMIT 5"#;
    // The text (`@` for the good beginning), what is said of it, what is not.
    let table: [(&str, &[&str], &[&str]); 23] = [
        (
            "@; GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"{{name}}\"",
            &[
                "warning: the login's own grants stand in the access list",
                "info: the grants can be shared",
            ],
            &["error", "can not be shared", "VALID UNTIL"],
        ),
        (
            "@; GRANT readers TO \"{{name}}\"",
            &["info: the grants can not be shared: there is no grant on an object"],
            &["error", "warning"],
        ),
        (
            "@; GRANT pg_read_all_data TO \"{{name}}\"",
            &["warning: members of pg_read_all_data reach beyond"],
            &["error"],
        ),
        (
            "CREATE ROLE \"{{name}}\" LOGIN IN ROLE pg_write_all_data",
            &[
                "warning: members of pg_write_all_data",
                "info: there is no CONNECTION LIMIT",
                "info: there is no VALID UNTIL",
            ],
            &["error"],
        ),
        (
            "CREATE ROLE \"{{name}}\" LOGIN PASSWORD 'secret'",
            &["warning: a password is written in the text"],
            &["secret"],
        ),
        (
            "CREATE ROLE \"{{name}}\" LOGIN SUPERUSER",
            &[
                "warning: a login with SUPERUSER",
                "warning: no plain CREATE ROLE",
            ],
            &["error"],
        ),
        (
            "CREATE ROLE \"{{name}}\"",
            &["warning: the login may not log in"],
            &["error"],
        ),
        (
            "CREATE USER {{name}} NOINHERIT",
            &[
                "info: {{name}} stands without quotes",
                "warning: NOINHERIT",
                "can not be shared (CREATE ROLE): a NOINHERIT",
            ],
            &["may not log in"],
        ),
        (
            "@; GRANT SELECT ON t TO PUBLIC",
            &["warning: a grant to PUBLIC"],
            &["error"],
        ),
        (
            "@; GRANT SELECT ON t TO \"{{name}}\" WITH GRANT OPTION",
            &[
                "warning: WITH GRANT OPTION",
                "can not be shared (GRANT): WITH GRANT OPTION",
            ],
            &["error"],
        ),
        (
            "@; GRANT CREATE ON SCHEMA s TO \"{{name}}\"",
            &[
                "warning: a login that may create things",
                "can not be shared (GRANT): CREATE",
            ],
            &["error"],
        ),
        (
            "@; GRANT g TO \"{{name}}\" WITH ADMIN OPTION",
            &["warning: a membership WITH ADMIN OPTION"],
            &["error"],
        ),
        (
            "@; DO $$ BEGIN GRANT SELECT ON t TO \"{{name}}\"; END $$",
            &[
                "info: what a DO block does, grants above all,",
                "can not be shared (DO)",
            ],
            &["error"],
        ),
        (
            "@; SELECT setup('{{name}}')",
            &["info: SELECT runs at each issue"],
            &["error"],
        ),
        (
            "@; GRANT SELECT ON t TO \"{{user}}\"; SELECT '{{ name }}'",
            &[
                "warning: {{user}} is no placeholder",
                "warning: {{ name }} is no placeholder",
            ],
            &["error"],
        ),
        (
            "@; COMMIT",
            &["error: transaction control cannot be used"],
            &["warning"],
        ),
        ("@; SET ROLE x", &["error: SET ROLE cannot"], &["warning"]),
        (
            "@; GRANT SELECT ON",
            &["error: syntax error at end of input"],
            &["warning"],
        ),
        (
            "CREATE ROLE U&\"{{name}}\"",
            &["error: {{name}} cannot stand inside U&"],
            &[],
        ),
        (
            " ; -- nothing",
            &["error: the creation statements are blank"],
            &["warning"],
        ),
        ("SELECT 1", &["warning: no plain CREATE ROLE"], &["error"]),
        (
            "CREATE ROLE \"{{name}}\" LOGIN ROLE bob",
            &["info: ROLE and ADMIN make others members"],
            &["error"],
        ),
        (
            "@; SET search_path = a; GRANT SELECT ON t TO \"{{name}}\"",
            &["can not be shared (SET): a SET"],
            &["error"],
        ),
    ];
    for (text, said, unsaid) in table {
        let text = text.replace('@', create);
        let seen = lint(&cluster, &text)?;
        for words in said {
            ensure!(
                seen.contains(words),
                "{text}\nshould say {words}, says\n{seen}"
            );
        }
        for words in unsaid {
            ensure!(
                !seen.contains(words),
                "{text}\nshould not say {words}, says\n{seen}"
            );
        }
    }
    let shared = "select string_agg(severity, ' ' order by severity) from leasehold.lint(array['CREATE ROLE \"{{name}}\" LOGIN CONNECTION LIMIT 1 VALID UNTIL ''infinity''; GRANT SELECT ON t TO \"{{name}}\" WITH GRANT OPTION'], grants => ";
    ensure!(cluster.psql(&format!("{shared}'own')"))? == "info warning warning");
    ensure!(cluster.psql(&format!("{shared}'shared')"))? == "error warning warning");
    ensure!(cluster.psql(&format!("{shared}'both')")).is_err());
    let hints = cluster.psql(&format!(
        "select count(*) from leasehold.lint(array[$text${create}; GRANT ALL ON SCHEMA s TO \"{{{{name}}}}\" WITH GRANT OPTION$text$]) where hint !~ '\\.$'"
    ))?;
    ensure!(hints == "0", "{hints} hints are no sentences");
    ensure!(
        cluster.psql("select count(*) from leasehold.lint('{}')")? == "1",
        "no text at all is blank"
    );
    Ok(())
}

#[test]
fn lint_and_issue_agree_on_errors() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    for text in [
        "CREATE ROLE \"{{name}}\" LOGIN; COMMIT",
        "CREATE ROLE \"{{name}}\" LOGIN; GRANT",
        "CREATE ROLE \"{{name}}\" LOGIN; LISTEN x",
        ";",
    ] {
        let said = lint(&cluster, text)?;
        let words = said.strip_prefix("error: ").context("an error")?.to_owned();
        cluster.psql(&format!(
            "select leasehold.define_role('r', creation_statements => array[$text${text}$text$])"
        ))?;
        let raised = format!(
            "{:#}",
            cluster.psql("select leasehold.issue('r')").expect_err(text)
        );
        ensure!(
            raised.contains(&words),
            "{text}: lint {words}, issue {raised}"
        );
        cluster.psql("select leasehold.drop_role('r')")?;
    }
    Ok(())
}

fn doctor(cluster: &Cluster, subject: &str) -> Result<String> {
    cluster.psql(&format!(
        "select state from leasehold.doctor() where subject = '{subject}'"
    ))
}

#[test]
fn doctor_finds_a_good_place_good_and_says_what_is_not() -> Result<()> {
    // As a server of one's own would be set up; the tests' own settings are for speed.
    let cluster = Cluster::start(
        Options {
            durable: true,
            ..Options::default()
        }
        .set("max_prepared_transactions", "0")
        .set("max_worker_processes", "8"),
    )?;
    let hba = cluster.data_folder().join("pg_hba.conf");
    std::fs::write(
        &hba,
        "local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
    )?;
    cluster.psql(
        "select pg_reload_conf(); select leasehold.define_role('r'); select leasehold.issue('r')",
    )?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    let wrong = cluster.psql("select subject, state, detail, hint from leasehold.doctor() where state <> 'ok' or hint is not null")?;
    ensure!(wrong.is_empty(), "{wrong}");
    ensure!(cluster.psql("select count(*) from leasehold.doctor()")? == "19");

    std::fs::write(
        &hba,
        "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
    )?;
    cluster.psql("select pg_reload_conf()")?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    cluster.psql("alter system set log_statement = 'all'; alter system set password_encryption = 'md5'; alter system set track_activities = off")?;
    cluster.psql("select pg_reload_conf()")?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    cluster.psql(
        "create table t (a int);
         select leasehold.define_role('s', creation_statements => array['CREATE ROLE \"{{name}}\" LOGIN; GRANT SELECT ON t TO \"{{name}}\"'], grants => 'shared');
         select leasehold.issue('s'); grant create on schema public to public",
    )?;
    for subject in [
        "logins without a password",
        "logging",
        "password_encryption",
        "track_activities",
        "shared recipes",
    ] {
        ensure!(doctor(&cluster, subject)? == "warn", "{subject}");
    }
    std::fs::write(&hba, "local all all trust\nhost all all nonsense\n")?;
    ensure!(doctor(&cluster, "pg_hba.conf")? == "fail");
    std::fs::write(&hba, "local all all trust\n")?;
    ensure!(
        doctor(&cluster, "pg_hba.conf")? == "fail",
        "nobody asks for SCRAM"
    );
    let hints = cluster.psql("select count(*) from leasehold.doctor() where (state = 'ok') <> (hint is null) or hint !~ '\\.$'")?;
    ensure!(hints == "0", "a hint is missing or no sentence");
    Ok(())
}

#[test]
fn doctor_finds_what_the_tests_do_for_speed_and_who_is_missing() -> Result<()> {
    let cluster = Cluster::start(
        Options::default()
            .without_preload()
            .set("max_worker_processes", "2"),
    )?;
    for (subject, state) in [
        ("preload", "fail"),
        ("worker", "fail"),
        ("installation", "ok"),
        ("max_worker_processes", "warn"),
        ("max_prepared_transactions", "warn"),
        ("durability", "warn"),
        ("group roles", "ok"),
        ("version", "ok"),
    ] {
        let seen = doctor(&cluster, subject)?;
        ensure!(seen == state, "{subject}: {seen}");
    }
    cluster.psql("create table t (a int); do $$ begin for n in 1..1600 loop execute format('create role g%s; grant select on t to g%s', n, n); end loop; end $$; alter role leasehold_reader login")?;
    ensure!(doctor(&cluster, "access lists")? == "warn");
    ensure!(doctor(&cluster, "group roles")? == "fail");
    cluster.psql("alter role leasehold_reader nologin")?;
    let reader = "create role person login; grant leasehold_reader to person";
    cluster.psql(reader)?;
    ensure!(
        cluster.psql_as(
            "person",
            "postgres",
            "select count(*) from leasehold.doctor()"
        )? == "19",
        "a reader may ask"
    );
    Ok(())
}
