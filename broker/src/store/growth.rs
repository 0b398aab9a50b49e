//! Statistics for tables that grow fast.
//!
//! PostgreSQL keeps plans until it has looked at a table again, and by itself it looks after a minute. A plan made for the
//! few rows of a new store reads all of them, whatever the indexes; over a hundred times as many, that is what a store under
//! its first load spends its time with. So whenever the rows added here have become four times as many, the tables are
//! looked at, and every plan over them is made anew, in every broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use sqlx::{Executor, PgPool};

/// So few rows need no other plan.
const FEW_ROWS: u64 = 256;
/// Rows are looked at again when they are so many times as many.
const TIMES: u64 = 4;

const LOOK: &str = "analyze leasehold_broker.tokens, leasehold_broker.leases";

/// How many rows have been added. Cheap to clone.
#[derive(Clone)]
pub struct Growth(Arc<Inner>);

struct Inner {
    store: PgPool,
    added: AtomicU64,
    look_at: AtomicU64,
}

impl Growth {
    /// Of this store, from now on.
    pub fn new(store: PgPool) -> Self {
        Growth(Arc::new(Inner {
            store,
            added: AtomicU64::new(0),
            look_at: AtomicU64::new(FEW_ROWS),
        }))
    }

    /// So many rows more. Does not wait for the look it may bring about.
    pub fn added(&self, rows: usize) {
        let added = self.0.added.fetch_add(rows as u64, Relaxed) + rows as u64;
        let look_at = self.0.look_at.load(Relaxed);
        let next = added.saturating_mul(TIMES);
        if added < look_at
            || self
                .0
                .look_at
                .compare_exchange(look_at, next, Relaxed, Relaxed)
                .is_err()
        {
            return;
        }
        let store = self.0.store.clone();
        tokio::spawn(async move {
            if let Err(error) = store.execute(LOOK).await {
                // The server will look by itself.
                tracing::debug!(%error, "could not look at tables that have grown");
            }
        });
    }
}
