//! Connections that go from one statement straight to the next.
//!
//! A pool asks whatever comes back whether it still answers, one more round trip for each statement, and hands its
//! connections out in turn, so that one client alone meets a backend that has slept longest. What was used a moment ago is
//! kept aside here and used again, the last one first; everything else is the pool's business.
//!
//! A plan that is kept is made for tables as large as they were then. Of a table of a few rows PostgreSQL reads all, whatever
//! the indexes; over a hundred times as many that same plan is slow until the server looks at the table again by itself, a
//! minute later. So plans are made anew whenever what has been written here has doubled.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{Connection, Executor, PgConnection, PgPool, Postgres};

/// Then a connection goes through the pool once, which looks at its age.
const ASIDE_MAX: Duration = Duration::from_secs(60);
/// So few rows need no other plan.
const FEW_ROWS: u64 = 64;

/// A pool, and those of its connections that are kept aside. Cheap to clone.
#[derive(Clone)]
pub struct Warm(Arc<Inner>);

struct Inner {
    pool: PgPool,
    most: usize,
    unasked: Duration,
    /// Rows added through these connections.
    added: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Vec<Kept>,
    /// Who waits for the pool: nothing is kept from them.
    waiting: usize,
}

struct Kept {
    connection: PoolConnection<Postgres>,
    taken_at: Instant,
    used_at: Instant,
    planned_for: u64,
}

impl Warm {
    /// Keeps at most `most` connections aside; one that was not used for `unasked` is not used without a question.
    pub fn new(pool: PgPool, most: usize, unasked: Duration) -> Self {
        Warm(Arc::new(Inner {
            pool,
            most,
            unasked,
            added: AtomicU64::new(0),
            state: Mutex::default(),
        }))
    }

    /// A connection: one kept aside, or the pool's. Give it back by [`Lent::keep`] after a statement that went well;
    /// dropped, it goes to the pool, which looks whether it is still good.
    pub async fn acquire(&self) -> sqlx::Result<Lent> {
        let kept = {
            let mut state = self.lock();
            let kept = state.kept.pop();
            if kept.is_none() {
                state.waiting += 1;
            }
            kept
        };
        if let Some(kept) = kept {
            match self.again(kept).await {
                Ok(lent) => return Ok(lent),
                // The server has gone, or has closed it meanwhile.
                Err(error) => {
                    tracing::debug!(%error, "a connection kept aside is of no use any more")
                }
            }
            self.lock().waiting += 1;
        }
        let _waiting = Waiting(self);
        Ok(Lent {
            connection: self.0.pool.acquire().await?,
            taken_at: Instant::now(),
            planned_for: 0,
            home: self.clone(),
        })
    }

    async fn again(&self, kept: Kept) -> sqlx::Result<Lent> {
        let mut lent = Lent {
            connection: kept.connection,
            taken_at: kept.taken_at,
            planned_for: kept.planned_for,
            home: self.clone(),
        };
        let added = self.0.added.load(Relaxed);
        let asked = if added >= (lent.planned_for * 2).max(FEW_ROWS) {
            lent.planned_for = added;
            lent.execute("discard plans").await.map(drop)
        } else if kept.used_at.elapsed() >= self.0.unasked {
            lent.ping().await
        } else {
            Ok(())
        };
        match asked {
            Ok(()) => Ok(lent),
            Err(error) => {
                lent.close();
                Err(error)
            }
        }
    }

    /// So many rows more are in tables that these connections read.
    pub fn added(&self, rows: usize) {
        self.0.added.fetch_add(rows as u64, Relaxed);
    }

    /// Gives all that is kept aside back to the pool: before it is closed, which waits for them.
    pub fn release(&self) {
        let kept = std::mem::take(&mut self.lock().kept);
        drop(kept);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0
            .state
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }
}

/// Counts itself out, also when whoever waited has given up.
struct Waiting<'a>(&'a Warm);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.waiting = state.waiting.saturating_sub(1);
    }
}

/// A connection in use.
pub struct Lent {
    connection: PoolConnection<Postgres>,
    taken_at: Instant,
    /// How many rows had been added when its plans were made.
    planned_for: u64,
    home: Warm,
}

impl Lent {
    /// Keeps it aside for the next statement.
    pub fn keep(self) {
        if self.taken_at.elapsed() >= ASIDE_MAX || self.home.0.pool.is_closed() {
            return;
        }
        let home = self.home.clone();
        let mut state = home.lock();
        if state.waiting == 0 && state.kept.len() < home.0.most {
            state.kept.push(Kept {
                connection: self.connection,
                taken_at: self.taken_at,
                used_at: Instant::now(),
                planned_for: self.planned_for,
            });
        }
    }

    /// It is not to be used again.
    pub fn close(mut self) {
        self.connection.close_on_drop();
    }

    /// Nobody else is to hear what still comes over it.
    pub fn detach(self) -> PgConnection {
        self.connection.detach()
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
