//! A mount: an engine at a path. Rows of `leasehold_broker.mounts`, and the rules that secret and auth mounts share.

use std::collections::HashMap;

use serde_json::{Map, Value};
use uuid::Uuid;

/// The two tables of mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MountKind {
    /// `sys/mounts`.
    Secret,
    /// `sys/auth`; routed below `auth/`.
    Auth,
}

/// Where a mount is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountState {
    /// Serves.
    Active,
    /// Being disabled: serves nobody, waits for its leases to end.
    Tainted,
}

/// One mount, as read from the store in this request. Built-in ones are rows too, made at initialisation.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Primary key, shown as `uuid`.
    pub mount_id: Uuid,
    /// Which table.
    pub kind: MountKind,
    /// With a trailing slash; an auth mount without its leading `auth/`.
    pub path: String,
    /// `database`, `cubbyhole`, `system`, `identity`, `token`, …
    pub engine_type: String,
    /// `<type>_<8 hex>`, auth: `auth_<type>_<8 hex>`.
    pub accessor: String,
    /// Free text.
    pub description: String,
    /// `default_lease_ttl`, `max_lease_ttl` (seconds, 0 = inherit), `listing_visibility`, `token_type`, lists.
    pub config: Map<String, Value>,
    /// As given; None = null.
    pub options: Option<Map<String, Value>>,
    /// Stored, without effect.
    pub local: bool,
    /// Stored, without effect.
    pub seal_wrap: bool,
    /// Stored, without effect.
    pub external_entropy_access: bool,
    /// Active or tainted.
    pub state: MountState,
}

impl Mount {
    /// The path below `/v1/`: an auth mount's begins with `auth/`.
    pub fn full_path(&self) -> String {
        match self.kind {
            MountKind::Secret => self.path.clone(),
            MountKind::Auth => format!("auth/{}", self.path),
        }
    }

    fn seconds(&self, key: &str) -> i64 {
        self.config.get(key).and_then(Value::as_i64).unwrap_or(0)
    }

    /// Tuned default TTL in seconds; 0 = the system's.
    pub fn default_lease_ttl_seconds(&self) -> i64 {
        self.seconds("default_lease_ttl")
    }

    /// Tuned maximum TTL in seconds; 0 = the system's.
    pub fn max_lease_ttl_seconds(&self) -> i64 {
        self.seconds("max_lease_ttl")
    }
}

/// All mounts of a store at one moment, found by path.
#[derive(Debug, Default)]
pub struct MountTable(HashMap<MountKind, HashMap<String, Mount>>);

impl MountTable {
    /// A table of these, which differ in kind or path.
    pub fn new(mounts: impl IntoIterator<Item = Mount>) -> Self {
        let mut table = MountTable::default();
        for mount in mounts {
            let of_kind = table.0.entry(mount.kind).or_default();
            of_kind.insert(mount.path.clone(), mount);
        }
        table
    }

    /// The mount that covers a path: the longest of those whose path is a prefix of it. `below` is without `auth/` for auth
    /// mounts. A mount's own path is covered without its slash, too.
    pub fn covering(&self, kind: MountKind, below: &str) -> Option<&Mount> {
        let of_kind = self.0.get(&kind)?;
        let whole = format!("{below}/");
        whole
            .rmatch_indices('/')
            .find_map(|(at, _)| of_kind.get(&whole[..=at]))
    }

    /// The mount of this id.
    pub fn by_id(&self, mount_id: Uuid) -> Option<&Mount> {
        self.0
            .values()
            .flat_map(HashMap::values)
            .find(|mount| mount.mount_id == mount_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_mount_covers() {
        let mount = |kind, path: &str| Mount {
            mount_id: Uuid::new_v4(),
            kind,
            path: path.to_owned(),
            engine_type: "database".to_owned(),
            accessor: String::new(),
            description: String::new(),
            config: Map::new(),
            options: None,
            local: false,
            seal_wrap: false,
            external_entropy_access: false,
            state: MountState::Active,
        };
        let table = MountTable::new([
            mount(MountKind::Secret, "db/"),
            mount(MountKind::Secret, "a/b/c/"),
            mount(MountKind::Auth, "token/"),
        ]);
        let check = |kind, below: &str, expect: Option<&str>| {
            let found = table.covering(kind, below);
            assert_eq!(found.map(|mount| mount.path.as_str()), expect, "{below:?}");
        };
        check(MountKind::Secret, "db/creds/x", Some("db/"));
        check(MountKind::Secret, "db/", Some("db/"));
        check(MountKind::Secret, "db", Some("db/"));
        check(MountKind::Secret, "dbx/creds", None);
        check(MountKind::Secret, "a/b", None);
        check(MountKind::Secret, "a/b/c/d/e", Some("a/b/c/"));
        check(MountKind::Secret, "", None);
        check(MountKind::Secret, "token/create", None);
        check(MountKind::Auth, "token/create", Some("token/"));
        let mount = table
            .covering(MountKind::Auth, "token")
            .expect("it is there");
        assert_eq!(
            table.by_id(mount.mount_id).map(|mount| &mount.path),
            Some(&mount.path)
        );
    }
}
