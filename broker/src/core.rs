//! What every handler may use: the store, the keys, the settings, the tasks. One per process.

use std::pin::Pin;
use std::time::Duration;

use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

use crate::authority::PolicyCache;
use crate::lease::{Errands, Intents, Renewals};
use crate::ready::Ready;
use crate::seal::{KeySource, Keys, Unsealing};
use crate::store::growth::Growth;
use crate::store::new_tokens::NewTokens;
use crate::store::reads::Reads;
use crate::target::Targets;
use crate::tasks::Tasks;
use crate::warm::Warm;

/// Limits and defaults of the server (contract 5.2; server configuration).
#[derive(Clone, Debug)]
pub struct Settings {
    /// System default TTL in seconds (768 h unless configured).
    pub default_lease_ttl_seconds: i64,
    /// System maximum TTL in seconds (768 h unless configured).
    pub max_lease_ttl_seconds: i64,
    /// How long a client waits for an answer at most (90 s unless configured; contract 1).
    pub request_max: Duration,
    /// What health, seal-status and the mount tables call our version: a plain `1.x.y` that clients can parse (contract 2.13).
    pub advertised_version: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            default_lease_ttl_seconds: 2_764_800,
            max_lease_ttl_seconds: 2_764_800,
            request_max: Duration::from_secs(90),
            advertised_version: "1.17.6".into(),
        }
    }
}

/// Shared by all requests. Holds no fact about tokens, policies, mounts or leases: those are read, or
/// proved, in each request.
pub struct Core {
    /// The broker's own database. Statements live in `store`; handlers that need one transaction begin it by
    /// [`Core::begin`].
    pub store: PgPool,
    /// The same for single statements that many requests make.
    pub warm: Warm,
    /// The identity of the store, and its scope on every target.
    pub store_id: Uuid,
    /// The keyring while unsealed.
    pub keys: Keys,
    /// Shares given so far, while sealed.
    pub unsealing: Unsealing,
    /// Where the root key comes from.
    pub key_source: KeySource,
    /// From the configuration.
    pub settings: Settings,
    /// Parsed policies by name and mark.
    pub policies: PolicyCache,
    /// Connections to targets, a pool a configuration.
    pub targets: Targets,
    /// Passwords derived ahead.
    pub ready: Ready,
    /// Reads on their way to the store.
    pub reads: Reads,
    /// How fast the store grows.
    pub growth: Growth,
    /// Tokens about to be made.
    pub new_tokens: NewTokens,
    /// Leases about to be written down.
    pub intents: Intents,
    /// Renewals about to be written down.
    pub renewals: Renewals,
    /// What requests leave to the tasks that tend to leases.
    pub errands: Errands,
    /// Work beside the requests, ended at shutdown.
    pub tasks: Tasks,
}

impl Core {
    /// A transaction of the store's. In a place of its own: room for all that making a connection takes, 14 KB, would be part
    /// of every request that may come to need one.
    pub fn begin(
        &self,
    ) -> Pin<Box<dyn Future<Output = sqlx::Result<Transaction<'static, Postgres>>> + Send + '_>>
    {
        Box::pin(self.store.begin())
    }
}
