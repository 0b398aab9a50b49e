//! What every handler may use: the store, the keys, the settings. One per process.

use sqlx::PgPool;

/// Limits and defaults of the server (contract 5.2; server configuration).
#[derive(Clone, Debug)]
pub struct Settings {
    /// System default TTL in seconds (768 h unless configured).
    pub default_lease_ttl_seconds: i64,
    /// System maximum TTL in seconds (768 h unless configured).
    pub max_lease_ttl_seconds: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            default_lease_ttl_seconds: 2_764_800,
            max_lease_ttl_seconds: 2_764_800,
        }
    }
}

/// Shared by all requests. Holds no fact about tokens, policies, mounts or leases: those are read in each request.
pub struct Core {
    /// The broker's own database.
    pub store: PgPool,
    /// From the configuration.
    pub settings: Settings,
}
