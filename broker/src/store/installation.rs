//! The one row that says who this store is and how its keys are kept.

use sqlx::{PgExecutor, Row};
use time::OffsetDateTime;
use uuid::Uuid;

/// The row.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The store's identity.
    pub store_id: Uuid,
    /// As configured when the store was made.
    pub cluster_name: String,
    /// Shares made at initialisation; 0 where the root key comes from elsewhere.
    pub seal_shares: i32,
    /// Shares that open it.
    pub seal_threshold: i32,
    /// When the store was made.
    pub created_at: OffsetDateTime,
    /// When the newest key was made; None before initialisation.
    pub key_installed_at: Option<OffsetDateTime>,
    /// None before initialisation.
    pub sealed_keyring: Option<Vec<u8>>,
}

impl Installation {
    /// Whether `sys/init` has been there.
    pub fn is_initialised(&self) -> bool {
        self.sealed_keyring.is_some()
    }
}

/// Makes the row if there is none.
pub async fn ensure(store: impl PgExecutor<'_>, cluster_name: &str) -> sqlx::Result<()> {
    sqlx::query("insert into leasehold_broker.installation (cluster_name) values ($1) on conflict do nothing")
        .bind(cluster_name)
        .execute(store)
        .await?;
    Ok(())
}

/// Reads the row.
pub async fn read(store: impl PgExecutor<'_>) -> sqlx::Result<Installation> {
    let row = sqlx::query(
        "select store_id, cluster_name, seal_shares, seal_threshold, sealed_keyring, created_at, key_installed_at from leasehold_broker.installation",
    )
    .fetch_one(store)
    .await?;
    Ok(Installation {
        store_id: row.try_get(0)?,
        cluster_name: row.try_get(1)?,
        seal_shares: row.try_get(2)?,
        seal_threshold: row.try_get(3)?,
        sealed_keyring: row.try_get(4)?,
        created_at: row.try_get(5)?,
        key_installed_at: row.try_get(6)?,
    })
}

/// Keeps the keyring, once: false if the store was initialised before.
pub async fn initialise(
    store: impl PgExecutor<'_>,
    sealed_keyring: &[u8],
    term: i32,
    shares: i32,
    threshold: i32,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "update leasehold_broker.installation set sealed_keyring = $1, key_term = $2, seal_shares = $3, seal_threshold = $4, \
             key_installed_at = clock_timestamp(), initialised_at = clock_timestamp(), revision = revision + 1 \
         where sealed_keyring is null",
    )
    .bind(sealed_keyring)
    .bind(term)
    .bind(shares)
    .bind(threshold)
    .execute(store)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The first root token: no parent, no lease, no end.
pub async fn insert_root_token(
    store: impl PgExecutor<'_>,
    token_hash: &[u8],
    accessor: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into leasehold_broker.tokens (token_hash, accessor, path, policies, display_name, orphan, renewable, \
             creation_ttl_seconds, ttl_seconds, issued_at) \
         values ($1, $2, 'auth/token/root', '{root}', 'root', true, false, 0, 0, clock_timestamp())",
    )
    .bind(token_hash)
    .bind(accessor)
    .execute(store)
    .await?;
    Ok(())
}
