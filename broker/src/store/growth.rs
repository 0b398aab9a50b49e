//! Statistics for tables that grow fast.
//!
//! PostgreSQL keeps plans until it has looked at a table again, and by itself it looks after a minute. A plan made for the
//! few rows of a new store reads all of them, whatever the indexes; over a hundred times as many, that is what a store under
//! its first load spends its time with. So whenever the rows added here to a table have become four times as many, it is
//! looked at, and every plan over it is made anew, in every broker.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use sqlx::{Executor, PgPool};

/// So few rows need no other plan.
const FEW_ROWS: u64 = 256;
/// Rows are looked at again when they are so many times as many.
const TIMES: u64 = 4;

/// A table that grows with the requests.
#[derive(Clone, Copy, Debug)]
pub enum Table {
    /// `leasehold_broker.tokens`
    Tokens,
    /// `leasehold_broker.leases`
    Leases,
}

impl Table {
    /// One transaction, as both are sent together: it may take as long as the table is large.
    fn look(self) -> &'static str {
        match self {
            Table::Tokens => "set local statement_timeout = 0; analyze leasehold_broker.tokens",
            Table::Leases => "set local statement_timeout = 0; analyze leasehold_broker.leases",
        }
    }
}

/// How many rows have been added to which table.
pub struct Growth {
    store: PgPool,
    tokens: Rows,
    leases: Rows,
}

struct Rows {
    added: AtomicU64,
    look_at: AtomicU64,
}

impl Growth {
    /// Of this store, from now on.
    pub fn new(store: PgPool) -> Self {
        let none = || Rows {
            added: AtomicU64::new(0),
            look_at: AtomicU64::new(FEW_ROWS),
        };
        Growth {
            store,
            tokens: none(),
            leases: none(),
        }
    }

    /// A row more. Does not wait for the look it may bring about.
    pub fn added(&self, table: Table) {
        let rows = match table {
            Table::Tokens => &self.tokens,
            Table::Leases => &self.leases,
        };
        let added = rows.added.fetch_add(1, Relaxed) + 1;
        let look_at = rows.look_at.load(Relaxed);
        let next = added.saturating_mul(TIMES);
        if added < look_at
            || rows
                .look_at
                .compare_exchange(look_at, next, Relaxed, Relaxed)
                .is_err()
        {
            return;
        }
        let store = self.store.clone();
        tokio::spawn(async move {
            if let Err(error) = store.execute(table.look()).await {
                // The server will look by itself.
                tracing::debug!(%error, "could not look at a table that has grown");
            }
        });
    }
}
