//! A mount: an engine at a path. Rows of `leasehold_broker.mounts`, and the rules that secret and auth mounts share.

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
