//! The database engine of a broker, mounted and configured as most tests want it: connections as superuser, roles whose
//! logins are plain.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{Actor, Answer, Cluster};

/// A mount of the database engine, used by whoever has all rights.
#[derive(Clone)]
pub struct Engine {
    root: Actor,
    mount: String,
}

impl Engine {
    /// The statement that makes a login.
    pub const LOGIN: &'static str =
        "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'";

    /// Mounts it.
    pub fn mount(root: &Actor, mount: &str) -> Result<Engine> {
        root.post(
            &format!("sys/mounts/{mount}"),
            json!({ "type": "database" }),
        )?
        .expect(204)?;
        Ok(Engine {
            root: root.clone(),
            mount: mount.to_owned(),
        })
    }

    /// Mounts it with a connection `c` to this port of a [`Cluster`], and a role `r`.
    pub fn ready(root: &Actor, mount: &str, port: u16) -> Result<Engine> {
        let engine = Engine::mount(root, mount)?;
        engine.connect("c", port)?;
        engine.role("r", "c", json!([Engine::LOGIN]))?;
        Ok(engine)
    }

    /// The same mount, asked by somebody else or at another broker.
    pub fn seen_by(&self, other: &Actor) -> Engine {
        Engine {
            root: other.clone(),
            mount: self.mount.clone(),
        }
    }

    /// Writes a connection to this port of a [`Cluster`].
    pub fn connect(&self, name: &str, port: u16) -> Result<()> {
        let connection = json!({
            "plugin_name": "postgresql-database-plugin", "allowed_roles": "*",
            "connection_url": format!("postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{port}/postgres?sslmode=disable"),
            "username": Cluster::SUPERUSER, "password": Cluster::SUPERUSER_PASSWORD,
        });
        self.root
            .put(&format!("{}/config/{name}", self.mount), connection)?
            .expect(204)
            .map(drop)
    }

    /// Writes a role.
    pub fn role(&self, name: &str, connection: &str, statements: Value) -> Result<()> {
        let role = json!({ "db_name": connection, "creation_statements": statements, "default_ttl": "1h", "max_ttl": "24h" });
        self.root
            .put(&format!("{}/roles/{name}", self.mount), role)?
            .expect(204)
            .map(drop)
    }

    /// A credential: lease id and login.
    pub fn issue(&self, role: &str) -> Result<(String, String)> {
        let answer = self.ask(role)?.expect(200)?;
        Ok((
            answer.text_at("/lease_id")?,
            answer.text_at("/data/username")?,
        ))
    }

    /// A request for a credential, however it ends.
    pub fn ask(&self, role: &str) -> Result<Answer> {
        self.root.get(&format!("{}/creds/{role}", self.mount))
    }

    /// Looks a lease up.
    pub fn lookup(&self, lease_id: &str) -> Result<Answer> {
        self.root
            .put("sys/leases/lookup", json!({ "lease_id": lease_id }))
    }

    /// The seconds a lease has, as looked up; None: it is not known.
    pub fn ttl(&self, lease_id: &str) -> Result<Option<i64>> {
        let answer = self.lookup(lease_id)?;
        if answer.status == 400 {
            return Ok(None);
        }
        let ttl = answer.expect(200)?;
        ttl.at("/data/ttl")?
            .as_i64()
            .context("a number of seconds")
            .map(Some)
    }

    /// Revokes a lease and waits for its end.
    pub fn revoke(&self, lease_id: &str) -> Result<Answer> {
        self.root
            .put("sys/leases/revoke", json!({ "lease_id": lease_id }))
    }

    /// Disables the mount.
    pub fn disable(&self) -> Result<Answer> {
        self.root.delete(&format!("sys/mounts/{}", self.mount))
    }

    /// Whoever asks here.
    pub fn actor(&self) -> &Actor {
        &self.root
    }
}
