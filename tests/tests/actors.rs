//! Who may do what: the guide's requests by nobody, the app, the admin and root; and every endpoint there is by nobody.

use anyhow::{Context, Result};
use leasehold_tests::{Actor, Broker, DevOptions};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What may be asked without a token (contract 2.12). Everything else is refused, whatever is mounted.
const OPEN: [&str; 14] = [
    "/sys/health",
    "/sys/init",
    "/sys/internal/specs/openapi",
    "/sys/internal/ui/mounts",
    "/sys/internal/ui/mounts/{path}",
    "/sys/leader",
    "/sys/seal",
    "/sys/seal-status",
    "/sys/step-down",
    "/sys/unseal",
    "/sys/wrapping/lookup",
    "/sys/wrapping/pubkey",
    "/sys/wrapping/rewrap",
    "/sys/wrapping/unwrap",
];

/// Endpoints as the broker itself lists them, from the same tables it routes by.
fn endpoints(broker: &Broker) -> Result<Vec<(String, Value)>> {
    let document = broker
        .root()
        .get("sys/internal/specs/openapi")?
        .expect(200)?;
    let paths = document.body["paths"].as_object().context("paths")?;
    Ok(paths
        .iter()
        .map(|(path, entry)| (path.clone(), entry.clone()))
        .collect())
}

#[test]
fn every_endpoint_refuses_nobody() -> Result<()> {
    let broker = Broker::dev(&DevOptions::default())?;
    broker
        .root()
        .post("sys/mounts/database", json!({"type": "database"}))?
        .expect(204)?;
    let nobody = broker.nobody();
    let endpoints = endpoints(&broker)?;
    assert!(
        endpoints.len() > 60,
        "the document lists {} paths",
        endpoints.len()
    );
    let mut open = BTreeSet::new();
    for (path, entry) in &endpoints {
        if entry.get("x-vault-unauthenticated") == Some(&json!(true)) {
            open.insert(path.as_str());
            continue;
        }
        let below = path.trim_start_matches('/').replace(['{', '}'], "");
        for method in ["GET", "LIST", "POST", "PUT", "DELETE"] {
            let answer = nobody.send(method, &below, None)?;
            let refused = (answer.status, answer.body["errors"][0].as_str());
            assert!(
                refused == (403, Some("permission denied")) || OPEN.contains(&path.as_str()),
                "{method} {below} answered nobody with {} {}",
                answer.status,
                answer.text
            );
        }
    }
    for path in open {
        assert!(
            OPEN.contains(&path),
            "{path} is open to nobody and not in the list"
        );
    }
    Ok(())
}

/// One request of the guide: method, path, body, and the status for nobody, app, admin, root.
type Row<'a> = (&'a str, String, Value, [u16; 4]);

fn check(rows: &[Row<'_>], actors: &[Actor; 4]) -> Result<()> {
    for (method, path, body, expect) in rows {
        for (actor, expect) in actors.iter().zip(expect) {
            let name = ["nobody", "app", "admin", "root"][actors
                .iter()
                .position(|a| a.token() == actor.token())
                .unwrap_or(0)];
            let sent = if body.is_null() {
                None
            } else {
                Some(body.clone())
            };
            let answer = actor.send(method, path, sent)?;
            assert_eq!(
                answer.status, *expect,
                "{method} {path} by {name}: {}",
                answer.text
            );
        }
    }
    Ok(())
}

#[test]
fn the_guide_by_actor() -> Result<()> {
    let broker = Broker::dev(&DevOptions::default())?;
    broker.psql("create table orders (id int)")?;
    let actors = [
        broker.nobody(),
        broker.app()?,
        broker.admin()?,
        broker.root(),
    ];
    let [_, app, admin, _] = &actors;
    admin
        .post("sys/mounts/database", json!({"type": "database"}))?
        .expect(204)?;
    let config = json!({
        "plugin_name": "postgresql-database-plugin", "allowed_roles": "readonly", "connection_url": broker.connection_url(),
        "username": broker.postgres("user"), "password": broker.postgres("password"),
    });
    let role = json!({
        "db_name": "postgresql", "default_ttl": "1h", "max_ttl": "24h",
        "creation_statements": include_str!("../guide/readonly.sql"),
    });
    let text = |text: &str| text.to_owned();
    let policy = json!({"policy": "path \"x\" { capabilities = [\"read\"] }"});
    check(
        &[
            (
                "PUT",
                text("database/config/postgresql"),
                config,
                [403, 403, 204, 204],
            ),
            (
                "GET",
                text("database/config/postgresql"),
                Value::Null,
                [403, 403, 200, 200],
            ),
            (
                "PUT",
                text("database/roles/readonly"),
                role,
                [403, 403, 204, 204],
            ),
            (
                "GET",
                text("database/roles/readonly"),
                Value::Null,
                [403, 403, 200, 200],
            ),
            (
                "LIST",
                text("database/roles"),
                Value::Null,
                [403, 403, 200, 200],
            ),
            (
                "PUT",
                text("sys/policies/acl/extra"),
                policy,
                [403, 403, 204, 204],
            ),
            (
                "GET",
                text("database/creds/readonly"),
                Value::Null,
                [403, 200, 200, 200],
            ),
            (
                "GET",
                text("database/creds/other"),
                Value::Null,
                [403, 403, 400, 400],
            ),
            (
                "LIST",
                text("sys/leases/lookup/database/creds/readonly"),
                Value::Null,
                [403, 403, 200, 200],
            ),
            ("GET", text("sys/mounts"), Value::Null, [403, 403, 403, 200]),
            (
                "GET",
                text("auth/token/lookup-self"),
                Value::Null,
                [403, 200, 200, 200],
            ),
            (
                "POST",
                text("auth/token/create"),
                json!({"policies": ["apps"], "ttl": "1m"}),
                [403, 403, 200, 200],
            ),
        ],
        &actors,
    )?;
    let lease = app
        .get("database/creds/readonly")?
        .expect(200)?
        .text_at("/lease_id")?;
    let by_id = json!({"lease_id": lease});
    let prefix = "sys/leases/revoke-prefix/database/creds/readonly";
    check(
        &[
            // Whoever knows a lease's id may look it up and renew it (policy `default`); ending it takes a policy.
            (
                "PUT",
                text("sys/leases/lookup"),
                by_id.clone(),
                [403, 200, 200, 200],
            ),
            (
                "PUT",
                text("sys/leases/renew"),
                by_id.clone(),
                [403, 200, 200, 200],
            ),
            (
                "PUT",
                text("sys/leases/revoke"),
                by_id,
                [403, 403, 204, 204],
            ),
            ("PUT", text(prefix), json!({}), [403, 403, 204, 204]),
            (
                "LIST",
                text("sys/leases/lookup/database/creds/readonly"),
                Value::Null,
                [403, 403, 404, 404],
            ),
            (
                "DELETE",
                text("sys/policies/acl/extra"),
                Value::Null,
                [403, 403, 204, 204],
            ),
            (
                "DELETE",
                text("sys/mounts/database"),
                Value::Null,
                [403, 403, 204, 204],
            ),
        ],
        &actors,
    )
}
