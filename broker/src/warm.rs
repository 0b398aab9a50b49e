//! Connections that go from one statement straight to the next.
//!
//! A pool asks whatever comes back whether it still answers, one more round trip for each statement, and hands its
//! connections out in turn, so that one client alone meets a backend that has slept longest. What was used a moment ago is
//! kept aside here and used again, the last one first; everything else is the pool's business.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};

/// Then a connection goes through the pool once, which looks at its age.
const ASIDE_MAX: Duration = Duration::from_secs(60);

/// A pool, and those of its connections that are kept aside. Cheap to clone.
#[derive(Clone)]
pub struct Warm(Arc<Inner>);

struct Inner {
    pool: PgPool,
    most: usize,
    unasked: Duration,
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
}

impl Warm {
    /// Keeps at most `most` connections aside; one that was not used for `unasked` is not used without a question.
    pub fn new(pool: PgPool, most: usize, unasked: Duration) -> Self {
        Warm(Arc::new(Inner {
            pool,
            most,
            unasked,
            state: Mutex::default(),
        }))
    }

    /// A connection: one kept aside, or the pool's. Give it back by [`Lent::keep`] after a statement that went well;
    /// dropped, it goes to the pool, which looks whether it is still good.
    pub async fn acquire(&self) -> sqlx::Result<Lent> {
        let kept = {
            let mut state = self.lock();
            let kept = state.kept.pop();
            let fresh = kept.filter(|kept| kept.used_at.elapsed() < self.0.unasked);
            if fresh.is_none() {
                state.waiting += 1;
            }
            fresh
        };
        let (connection, taken_at) = match kept {
            Some(kept) => (kept.connection, kept.taken_at),
            None => {
                let _waiting = Waiting(self);
                (self.0.pool.acquire().await?, Instant::now())
            }
        };
        Ok(Lent {
            connection,
            taken_at,
            home: self.clone(),
        })
    }

    /// Asks one thing on a connection, which is kept aside if that went well.
    pub async fn ask<T>(
        &self,
        ask: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
    ) -> sqlx::Result<T> {
        let mut lent = self.acquire().await?;
        let answer = ask(&mut lent).await?;
        lent.keep();
        Ok(answer)
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
