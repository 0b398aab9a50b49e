//! Who may do what: the guide's requests by nobody, the app, the admin and root; and every endpoint there is by nobody.

use anyhow::{Context, Result};
use leasehold_tests::{Actor, Broker, DevOptions, golden};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

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

/// GET with the header that asks for wrapping.
fn wrapped(broker: &Broker, by: &Actor, path: &str) -> Result<Value> {
    let mut headers = vec![("X-Vault-Wrap-TTL".to_owned(), "1h".to_owned())];
    if let Some(token) = by.token() {
        headers.push(("X-Vault-Token".to_owned(), token.to_owned()));
    }
    let target = format!("/v1/{path}");
    let seen = golden::send(broker.address(), "GET", &target, &headers, None)?;
    assert_eq!(seen.status, 200, "{path}: {}", seen.text);
    Ok(serde_json::from_str(&seen.text)?)
}

#[test]
fn nobody_has_anything_wrapped() -> Result<()> {
    let broker = Broker::dev(&DevOptions::default())?;
    for path in ["sys/internal/specs/openapi", "sys/internal/ui/mounts"] {
        let open = wrapped(&broker, &broker.nobody(), path)?;
        assert_eq!(open["wrap_info"], Value::Null, "{path}");
        let kept = "select count(*) from leasehold_broker.tokens where wrapping is not null and path = '%'";
        let kept = broker.psql_store(&kept.replace('%', path))?;
        assert_eq!(kept, "0", "{path}");
        let closed = wrapped(&broker, &broker.root(), path)?;
        assert_eq!(closed["wrap_info"]["ttl"], json!(3600), "{path}");
    }
    Ok(())
}

#[test]
fn what_is_withheld_is_not_to_be_had_in_other_words() -> Result<()> {
    const MOST: &str =
        "path \"sys/policies/acl/*\" { capabilities = [\"read\", \"update\", \"delete\"] }
        path \"sys/policies/acl/admin\" { capabilities = [\"deny\"] }
        path \"sys/policy/*\" { capabilities = [\"read\", \"update\", \"delete\"] }
        path \"sys/policy/admin\" { capabilities = [\"deny\"] }
        path \"sys/mounts/*\" { capabilities = [\"read\", \"update\", \"delete\"] }
        path \"sys/mounts/db\" { capabilities = [\"deny\"] }
        path \"sys/mounts/db/tune\" { capabilities = [\"deny\"] }";
    let broker = Broker::dev(&DevOptions::default())?;
    broker.admin()?;
    let root = broker.root();
    root.post("sys/mounts/db", json!({"type": "database"}))?
        .expect(204)?;
    let holder = broker.holder("most", MOST)?;
    let policy = json!({"policy": "path \"*\" { capabilities = [\"deny\"] }"});
    for folder in ["sys/policies/acl", "sys/policy"] {
        for name in ["admin", "ADMIN", "Admin%20", "%20admin"] {
            let path = format!("{folder}/{name}");
            holder.get(&path)?.expect(403)?;
            holder.put(&path, policy.clone())?.expect(403)?;
            holder.delete(&path)?.expect(403)?;
        }
        holder.delete(&format!("{folder}/admin/"))?.expect(403)?;
        // Where both names are granted, it is as before.
        holder.put(&format!("{folder}/OTHER"), policy.clone())?;
        holder.get(&format!("{folder}/Other"))?.expect(200)?;
        holder.delete(&format!("{folder}/oTHER"))?.expect(204)?;
    }
    root.get("sys/policies/acl/admin")?.expect(200)?;

    holder.get("sys/mounts/db/")?.expect(403)?;
    holder.delete("sys/mounts/db/")?.expect(403)?;
    // What lies below a mount is tuned as the mount is.
    let tuned = json!({"max_lease_ttl": "1h"});
    holder.post("sys/mounts/db/x/tune", tuned)?.expect(403)?;
    root.get("sys/mounts/db")?.expect(200)?;
    root.post("sys/mounts/other", json!({"type": "database"}))?
        .expect(204)?;
    holder.delete("sys/mounts/other/")?.expect(204)?;
    Ok(())
}

#[test]
fn a_mount_is_moved_only_to_where_it_can_be_reached() -> Result<()> {
    let broker = Broker::dev(&DevOptions::default())?;
    let root = broker.root();
    root.post("sys/mounts/db", json!({"type": "database"}))?
        .expect(204)?;
    for to in ["a/../b", "./x", "..", "a\nb", "a\u{200b}b"] {
        root.post("sys/remount", json!({"from": "db", "to": to}))?
            .expect(400)?;
    }
    root.post("sys/remount", json!({"from": "db", "to": "a b"}))?
        .expect(200)?;
    root.delete("sys/mounts/a%20b")?.expect(204)?;
    Ok(())
}

#[test]
fn the_capabilities_of_an_accessor_are_those_of_a_living_token() -> Result<()> {
    let broker = Broker::dev(&DevOptions::default())?;
    let root = broker.root();
    let make = |by: &Actor, more: Value| -> Result<(Actor, Value)> {
        let made = by.post("auth/token/create", more)?.expect(200)?;
        let token = by.with_token(&made.text_at("/auth/client_token")?);
        Ok((token, made.at("/auth/accessor")?.clone()))
    };
    let asked = |accessor: &Value, expect: u16| {
        let body = json!({"accessor": accessor, "paths": ["x"]});
        root.post("sys/capabilities-accessor", body)?.expect(expect)
    };
    let (_, used_up) = make(&root, json!({"num_uses": 2}))?;
    asked(&used_up, 200)?;
    let accessor = used_up.as_str().context("a text")?;
    broker.psql_store(&format!(
        "update leasehold_broker.tokens set uses_left = 0 where accessor = '{accessor}'"
    ))?;
    asked(&used_up, 400)?;

    let (parent, above) = make(&root, json!({"policies": ["root"], "ttl": "1h"}))?;
    let (_, below) = make(&parent, json!({"policies": ["default"]}))?;
    asked(&below, 200)?;
    let accessor = above.as_str().context("a text")?;
    broker.psql_store(&format!(
        "update leasehold_broker.tokens set expires_at = now() where accessor = '{accessor}'"
    ))?;
    asked(&below, 400)?;
    Ok(())
}

#[test]
fn no_renewal_leads_past_the_longest_life() -> Result<()> {
    let broker = Broker::dev(&DevOptions::default())?;
    let root = broker.root();
    let past = |accessor: &str| {
        broker.psql_store(&format!(
            "select expires_at > issued_at + greatest(explicit_max_ttl_seconds, 1) * interval '1 second' \
               from leasehold_broker.tokens where accessor = '{accessor}'"
        ))
    };
    let renew = |made: &leasehold_tests::Answer| {
        let token = json!({"token": made.at("/auth/client_token")?, "increment": "1h"});
        root.post("auth/token/renew", token)
    };
    // At any moment of a second.
    let made = root
        .post("auth/token/create", json!({"explicit_max_ttl": "1m"}))?
        .expect(200)?;
    let accessor = made.text_at("/auth/accessor")?;
    for _ in 0..8 {
        renew(&made)?.expect(200)?;
        assert_eq!(past(&accessor)?, "f");
        std::thread::sleep(Duration::from_millis(130));
    }
    // Less than a second is a limit, too, of a token and of a role; whether it lives long enough to be renewed or not.
    let role = json!({"token_explicit_max_ttl": "900ms"});
    root.post("auth/token/roles/short", role)?.expect(204)?;
    for (path, body) in [
        ("auth/token/create", json!({"explicit_max_ttl": "900ms"})),
        ("auth/token/create/short", json!({})),
    ] {
        let made = root.post(path, body)?.expect(200)?;
        renew(&made)?;
        assert_eq!(past(&made.text_at("/auth/accessor")?)?, "f", "{path}");
    }
    Ok(())
}
