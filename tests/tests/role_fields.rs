//! What a role can say over HTTP beyond Vault's fields: member_of, grants, reassign_to, drop_owned.

use anyhow::{Result, ensure};
use leasehold_tests::{Actor, Cluster, Options, Served, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

const CREATE: &str = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' INHERIT;";
const GRANT: &str = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"{{name}}\";";

fn scene() -> Result<(Cluster, Served)> {
    let cluster = Cluster::start(Options::default())?;
    cluster.psql("create table items (n int); create role readers; grant select on items to readers; create role heir")?;
    let served = Served::start(&cluster, "store", "")?;
    let root = served.root();
    root.post("sys/mounts/db", json!({"type": "database"}))?
        .expect(204)?;
    root.put("db/config/postgresql", connection(&cluster))?
        .expect(204)?;
    Ok((cluster, served))
}

fn connection(cluster: &Cluster) -> Value {
    json!({
        "plugin_name": "postgresql-database-plugin", "allowed_roles": "*",
        "connection_url": cluster.url("{{username}}", "{{password}}", "postgres"),
        "username": Cluster::SUPERUSER, "password": Cluster::SUPERUSER_PASSWORD,
    })
}

fn write(root: &Actor, name: &str, fields: Value) -> Result<u16> {
    let mut body = json!({"db_name": "postgresql", "default_ttl": "1h"});
    if let (Some(body), Some(fields)) = (body.as_object_mut(), fields.as_object()) {
        body.extend(fields.clone());
    }
    Ok(root.put(&format!("db/roles/{name}"), body)?.status)
}

fn credentials(root: &Actor, role: &str) -> Result<String> {
    root.get(&format!("db/creds/{role}"))?
        .expect(200)?
        .text_at("/data/username")
}

#[test]
fn a_role_without_them_reads_as_it_always_did() -> Result<()> {
    let (_cluster, served) = scene()?;
    let root = served.root();
    let extra = |body: &Value| -> Vec<String> {
        ["member_of", "grants", "reassign_to", "drop_owned"]
            .into_iter()
            .filter(|field| body["data"].get(field).is_some())
            .map(str::to_owned)
            .collect()
    };
    let plain = json!({"creation_statements": [CREATE, GRANT]});
    ensure!(write(&root, "plain", plain.clone())? == 204);
    ensure!(extra(&root.get("db/roles/plain")?.expect(200)?.body).is_empty());

    let set = json!({"member_of": ["readers"], "grants": "shared", "reassign_to": "heir"});
    ensure!(write(&root, "plain", set)? == 204);
    let read = root.get("db/roles/plain")?.expect(200)?.body;
    ensure!(
        read["data"]["member_of"] == json!(["readers"])
            && read["data"]["grants"] == "shared"
            && read["data"]["reassign_to"] == "heir",
        "{read}"
    );
    // What is not given stays; what is given empty goes.
    ensure!(write(&root, "plain", json!({"max_ttl": "2h"}))? == 204);
    ensure!(extra(&root.get("db/roles/plain")?.expect(200)?.body).len() == 3);
    let unset = json!({"member_of": "", "grants": "own", "reassign_to": "", "drop_owned": false});
    ensure!(write(&root, "plain", unset)? == 204);
    ensure!(extra(&root.get("db/roles/plain")?.expect(200)?.body).is_empty());
    Ok(())
}

#[test]
fn what_makes_no_sense_is_refused() -> Result<()> {
    let (_cluster, served) = scene()?;
    let root = served.root();
    for wrong in [
        json!({"grants": "both"}),
        json!({"grants": {"a": 1}}),
        json!({"drop_owned": "perhaps"}),
        json!({"reassign_to": "heir", "drop_owned": true}),
        json!({"reassign_to": "x".repeat(64)}),
        json!({"member_of": ["a\u{0}b"]}),
        json!({"member_of": vec!["g"; 101]}),
        json!({"member_of": 7.5, "grants": "?"}),
    ] {
        ensure!(write(&root, "wrong", wrong.clone())? == 400, "{wrong}");
    }
    ensure!(root.get("db/roles/wrong")?.status == 404);
    Ok(())
}

#[test]
fn they_reach_the_target() -> Result<()> {
    let (cluster, served) = scene()?;
    let root = served.root();
    let own = json!({"creation_statements": [CREATE, GRANT], "drop_owned": true});
    ensure!(write(&root, "own", own)? == 204);
    let shared = json!({"creation_statements": format!("{CREATE} {GRANT}"), "grants": "shared", "reassign_to": "heir"});
    ensure!(write(&root, "shared", shared)? == 204);
    ensure!(write(&root, "member", json!({"member_of": "readers"}))? == 204);
    for (role, grants) in [("own", "own"), ("shared", "shared"), ("member", "own")] {
        let login = credentials(&root, role)?;
        let seen = cluster.psql(&format!(
            "select grants, has_table_privilege(login, 'items', 'select') from leasehold.leases where login = '{login}'"
        ))?;
        ensure!(seen == format!("{grants}|t"), "{role}: {seen}");
    }
    let kept = cluster.psql("select reassign_to, drop_owned from leasehold.roles where role like '%/shared' or role like '%/own' order by grants")?;
    ensure!(kept == "|t\nheir|f", "{kept}");

    // A text that can not be shared says so where it is used, and a role with nothing at all as it always did.
    let text = format!("{CREATE} DO $$ BEGIN END $$");
    let block = json!({"db_name": "postgresql", "creation_statements": text, "grants": "shared"});
    let answer = root.put("db/roles/block", block.clone())?;
    ensure!(
        answer.status == 400 && answer.text.contains("can not be shared (DO)"),
        "{}",
        answer.text
    );
    // Nobody to ask yet: then it is said when credentials are asked for.
    let mut later = block;
    later["db_name"] = json!("later");
    root.put("db/roles/block", later)?.expect(204)?;
    root.put("db/config/later", connection(&cluster))?
        .expect(204)?;
    let answer = root.get("db/creds/block")?;
    ensure!(
        answer.status == 400 && answer.text.contains("can not be shared (DO)"),
        "{}",
        answer.text
    );
    ensure!(write(&root, "empty", json!({}))? == 204);
    let answer = root.get("db/creds/empty")?;
    ensure!(
        answer.status == 400 && answer.text.contains("empty creation statements"),
        "{}",
        answer.text
    );

    root.put("sys/leases/revoke-prefix/db/creds", json!({}))?
        .expect(204)?;
    root.delete("db/roles/shared")?.expect(204)?;
    wait_until(
        Duration::from_secs(40),
        "the group went with its role",
        || Ok(cluster.psql("select count(*) from leasehold.groups")? == "0"),
    )
}
