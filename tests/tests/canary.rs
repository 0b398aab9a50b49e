//! No secret in clear anywhere: every secret of a run of the guide is noted, then searched for in the server log (with
//! everything logged), in `pg_stat_statements`, in the broker's log (at its most talkative) and in a dump of every
//! database, as it is and as base64, hex and percent-encoding.

use anyhow::Result;
use leasehold_tests::{Cluster, Options, Served};
use serde_json::json;
use std::fmt::Write;

/// The forms in which a secret could hide.
fn forms(secret: &str) -> Vec<String> {
    let hex = secret.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let percent = secret.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() {
            text.push(byte as char);
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    });
    // Base64 of a text inside another begins at one of three offsets; the middle of each is what stays the same.
    let base64 = (0..3).map(|offset| {
        let padded = format!("{}{secret}", &"   "[..offset]);
        let coded = base64(padded.as_bytes());
        coded[4..coded.len() - 4].to_owned()
    });
    [secret.to_owned(), hex, percent]
        .into_iter()
        .chain(base64)
        .collect()
}

fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            text.push(SIGNS[(bits >> (18 - 6 * place) & 63) as usize] as char);
        }
    }
    text
}

/// The search itself, seen to find what is there.
#[test]
fn a_secret_is_found_in_every_form() {
    let secret = "Kq7-secret/Ω+0123456789";
    let wrapped = format!("{{\"password\":\"{secret}\"}}");
    assert!(
        forms(secret)
            .iter()
            .any(|form| wrapped.contains(form.as_str()))
    );
    assert!(
        forms(secret)
            .iter()
            .any(|form| base64(wrapped.as_bytes()).contains(form.as_str()))
    );
}

#[test]
fn no_secret_in_clear_anywhere() -> Result<()> {
    let options = Options {
        preload: vec!["leasehold".into(), "pg_stat_statements".into()],
        ..Options::default()
    };
    let cluster = Cluster::start(options)?;
    // The connection's own password, set before anything is logged.
    let root_password = "Canary-root-8fK2mQx7Lw";
    cluster.psql(&format!(
        "set log_statement = 'none'; create role manager superuser login password '{root_password}'; create extension pg_stat_statements; select pg_stat_statements_reset()"
    ))?;
    for (name, value) in [
        ("log_statement", "all"),
        ("log_min_duration_statement", "0"),
        ("log_min_error_statement", "debug5"),
        ("log_min_messages", "debug1"),
        ("log_parameter_max_length_on_error", "-1"),
        ("pg_stat_statements.track", "all"),
        ("pg_stat_statements.track_utility", "on"),
    ] {
        cluster.psql(&format!("alter system set {name} = '{value}'"))?;
    }
    cluster.psql("select pg_reload_conf()")?;
    let served = Served::start(&cluster, "store", "log_level = \"trace\"")?;
    let root = served.root();
    let mut secrets = vec![served.unseal_key().to_owned(), root_password.to_owned()];
    secrets.push(root.token().unwrap_or_default().to_owned());

    root.post("sys/mounts/database", json!({"type": "database"}))?
        .expect(204)?;
    let url = cluster.url("{{username}}", "{{password}}", "postgres");
    root.put(
        "database/config/postgresql",
        json!({"plugin_name": "postgresql-database-plugin", "allowed_roles": "*", "connection_url": url, "username": "manager", "password": root_password}),
    )?
    .expect(204)?;
    let create =
        "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';";
    let texts = [
        ("plain", json!(create)),
        ("block", json!(format!("DO $do$ BEGIN {create} END $do$;"))),
        (
            "failing",
            json!([create, "GRANT nobody_there TO \"{{name}}\"", "SELECT 1/0"]),
        ),
    ];
    for (role, statements) in texts {
        root.put(&format!("database/roles/{role}"), json!({"db_name": "postgresql", "creation_statements": statements, "default_ttl": "1h"}))?
            .expect(204)?;
    }
    let policy = "path \"database/creds/*\" { capabilities = [\"read\"] }";
    root.put("sys/policies/acl/apps", json!({"policy": policy}))?
        .expect(204)?;
    let token = root
        .post("auth/token/create", json!({"policies": ["apps"]}))?
        .expect(200)?
        .text_at("/auth/client_token")?;
    secrets.push(token.clone());
    let app = root.with_token(&token);
    for _ in 0..3 {
        for role in ["plain", "block"] {
            let answer = app.get(&format!("database/creds/{role}"))?.expect(200)?;
            secrets.push(answer.text_at("/data/password")?);
            let lease = answer.text_at("/lease_id")?;
            root.put(
                "sys/leases/renew",
                json!({"lease_id": lease, "increment": 60}),
            )?
            .expect(200)?;
        }
        let refused = app.get("database/creds/failing")?;
        assert!(refused.status >= 400, "{}", refused.text);
    }
    // Wrong-typed and misplaced secrets: the refusal must not echo them into a log.
    let misplaced = "Canary-misplaced-5dT9uYb3";
    secrets.push(misplaced.to_owned());
    root.put(
        "database/config/postgresql",
        json!({"connection_url": format!("postgresql://manager:{misplaced}@127.0.0.1:1/postgres")}),
    )?;
    root.with_token(misplaced).get("sys/mounts")?.expect(403)?;
    let issued = cluster.psql("select password from leasehold.define_role('sql', member_of => '{}') d, leasehold.issue('sql')")?;
    secrets.push(issued);

    let mut places = vec![
        ("the server log".to_owned(), cluster.log()?),
        ("the broker's log".to_owned(), served.log()?),
        (
            "pg_stat_statements".to_owned(),
            cluster.psql("select query from pg_stat_statements")?,
        ),
    ];
    for database in ["postgres", "store"] {
        let tables = cluster.psql_in(
            database,
            "select format('select %L || x::text from %I.%I x', relname || ': ', nspname, relname) from pg_class c join pg_namespace n on n.oid = relnamespace
              where relkind = 'r' and (nspname like 'leasehold%' or nspname = 'public' or relname in ('pg_authid', 'pg_shseclabel', 'pg_shdescription'))",
        )?;
        for table in tables.lines() {
            places.push((
                format!("{database}: {table}"),
                cluster.psql_in(database, table)?,
            ));
        }
    }
    assert!(
        places
            .iter()
            .any(|(_, text)| text.contains("SCRAM-SHA-256$4096:")),
        "the search reads verifiers"
    );
    for secret in &secrets {
        assert!(secret.len() >= 20, "a secret too short to search for");
        for form in forms(secret) {
            for (place, text) in &places {
                let line = text
                    .lines()
                    .find(|line| line.contains(&form))
                    .map(|line| line.chars().take(300).collect::<String>());
                assert!(line.is_none(), "{place} holds a secret: {line:?}");
            }
        }
    }
    Ok(())
}
