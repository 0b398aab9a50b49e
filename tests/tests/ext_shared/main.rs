//! Shared grants: a recipe whose grants a group of its own holds gives its logins the same rights as one whose logins
//! hold them, now and after every change, costs the catalogs nothing for each login, and leaves nothing behind.

mod life;
mod rights;

use anyhow::Result;
use leasehold_tests::Cluster;

const CREATE: &str = r#"CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' INHERIT;"#;

const ALL_TABLES: &str = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO @";

/// Defines `name` twice, with grants of each kind.
fn define(cluster: &Cluster, definer: &str, name: &str, grants: &str) -> Result<()> {
    for kind in ["own", "shared"] {
        let text = format!("{CREATE} {}", grants.replace('@', "\"{{name}}\""));
        cluster.psql_as(
            definer,
            "postgres",
            &format!("select leasehold.define_role('{name}-{kind}', creation_statements => array[$text${text}$text$], grants => '{kind}')"),
        )?;
    }
    Ok(())
}

fn issue(cluster: &Cluster, role: &str) -> Result<String> {
    cluster.psql(&format!(
        "select login from leasehold.issue('{role}', verifier => '{VERIFIER}')"
    ))
}

/// A password that nobody needs: the server does not have to derive one.
const VERIFIER: &str = "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Whether `login` may read `table`.
fn may_read(cluster: &Cluster, login: &str, table: &str) -> Result<bool> {
    let question = format!("select has_table_privilege('{login}', '{table}', 'select')");
    Ok(cluster.psql(&question)? == "t")
}
