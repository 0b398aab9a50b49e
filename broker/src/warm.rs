//! Connections that go from one statement straight to the next.
//!
//! A pool asks whatever comes back whether it still answers, one more round trip for each statement, and hands its
//! connections out in turn, so that one client alone meets a backend that has slept longest. What was used a moment ago is
//! kept aside here and used again, the last one first; while the pool has no more to give, it goes straight to whoever has waited
//! longest. Everything else is the pool's business.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, PgPool, Postgres};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

/// After this at the latest a connection goes through the pool, which looks at its age: a tenth of the age that it may have.
const ASIDE_MAX: Duration = Duration::from_secs(600);
/// From hand to hand it goes for so long: others wait for the pool too, in one queue with all who wait here.
const HANDED_MAX: Duration = Duration::from_millis(50);
/// How long [`Warm::ask`] waits, and whoever writes: longer than a server lets a statement run (30 s), so that what is asked
/// again is not still under way.
pub const WRITTEN_WITHIN: Duration = Duration::from_secs(35);
/// A connection that has slept answers within this, and fits into a request's wait for one, or it is none any more.
const AWAKE_WITHIN: Duration = Duration::from_secs(2);
/// A connection whose statement has failed answers a question within this, or is none any more.
const PROBED_WITHIN: Duration = Duration::from_secs(5);

/// A pool, and those of its connections that are kept aside. Cheap to clone.
#[derive(Clone)]
pub struct Warm(Arc<Inner>);

struct Inner {
    pool: PgPool,
    most: usize,
    aside: Duration,
    unasked: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Vec<Kept>,
    /// Who waits for the pool, in the order in which they came: nothing is kept from them.
    waiting: VecDeque<oneshot::Sender<Kept>>,
}

struct Kept {
    connection: PoolConnection<Postgres>,
    taken_at: Instant,
    used_at: Instant,
}

impl Warm {
    /// Keeps at most `most` connections aside; one that was not used for `unasked` is not used without a question.
    pub fn new(pool: PgPool, most: usize, unasked: Duration) -> Self {
        let lifetime = pool.options().get_max_lifetime();
        Warm(Arc::new(Inner {
            aside: lifetime.map_or(ASIDE_MAX, |lifetime| ASIDE_MAX.min(lifetime / 10)),
            pool,
            most,
            unasked,
            state: Mutex::default(),
        }))
    }

    /// A connection: one kept aside, or the pool's. Give it back by [`Lent::keep`] after a statement that went well;
    /// dropped, it goes to the pool if it is still good. For callers with a deadline of their own; [`Warm::lend`] has one.
    pub async fn acquire(&self) -> sqlx::Result<Lent> {
        let handed = loop {
            // In one step: what is kept between a look and the queue would be kept from whoever comes to wait.
            let kept = {
                let mut state = self.lock();
                let Some(kept) = state.kept.pop() else {
                    let (sender, handed) = oneshot::channel();
                    state.waiting.push_back(sender);
                    break handed;
                };
                kept
            };
            if let Some(awake) = self.awake(kept).await {
                return Ok(self.lent(awake.connection, awake.taken_at));
            }
        };
        let mut handed = Handed(self, handed);
        tokio::select! {
            biased;
            Ok(kept) = &mut handed.1 => Ok(self.lent(kept.connection, kept.taken_at)),
            taken = self.of_pool() => Ok(self.lent(taken?, Instant::now())),
        }
    }

    /// One of the pool's. In a place of its own: room for all that making a connection takes, 14 KB, would be part of every
    /// request, and seldom used.
    fn of_pool(
        &self,
    ) -> Pin<Box<dyn Future<Output = sqlx::Result<PoolConnection<Postgres>>> + Send>> {
        Box::pin(self.0.pool.acquire())
    }

    /// A kept connection, asked whether it still answers if it has slept. What has slept longest knows least: the server plans the
    /// statements anew there that were planned before its tables grew, so the pool's next one would be the slower one.
    async fn awake(&self, mut kept: Kept) -> Option<Kept> {
        if kept.taken_at.elapsed() >= self.0.aside {
            give_back(kept.connection);
            return None;
        }
        if kept.used_at.elapsed() < self.0.unasked {
            return Some(kept);
        }
        if let Ok(Ok(())) = timeout(AWAKE_WITHIN, kept.connection.ping()).await {
            return Some(kept);
        }
        // All that were kept before have what this one has.
        let silent = std::mem::take(&mut self.lock().kept);
        for kept in silent.into_iter().chain([kept]) {
            drop(kept.connection.detach());
        }
        None
    }

    fn lent(&self, connection: PoolConnection<Postgres>, taken_at: Instant) -> Lent {
        Lent {
            connection: Some(connection),
            taken_at,
            until: None,
            home: self.clone(),
        }
    }

    /// Lends a connection for so long at most. Then the work is dropped and the connection closed, and the failure is one
    /// that [`silence`] knows: a server whose host is gone says nothing at all.
    pub async fn lend<T, Work>(
        &self,
        time: Duration,
        work: impl FnOnce(Lent) -> Work,
    ) -> sqlx::Result<T>
    where
        Work: Future<Output = sqlx::Result<T>>,
    {
        let mut lent = self.acquire().await?;
        let until = Instant::now() + time;
        lent.until = Some(until);
        timeout_at(until, work(lent))
            .await
            .unwrap_or_else(|_| Err(unanswered(time)))
    }

    /// Asks one thing on a connection, which is kept aside if that went well. Waits no longer than [`WRITTEN_WITHIN`].
    pub async fn ask<T>(
        &self,
        ask: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
    ) -> sqlx::Result<T> {
        self.lend(WRITTEN_WITHIN, |mut lent| async move {
            let answer = ask(&mut lent).await?;
            lent.keep();
            Ok(answer)
        })
        .await
    }

    /// Gives all that is kept aside back to the pool: before it is closed, which waits for them.
    pub fn release(&self) {
        let kept = std::mem::take(&mut self.lock().kept);
        drop(kept);
    }

    /// Hands it to whoever waits for one of a pool that makes no more, or keeps it for the next. What there is no room for goes to
    /// the pool as it is.
    fn keep(&self, mut kept: Kept) {
        let inner = &self.0;
        let age = kept.taken_at.elapsed();
        if age >= inner.aside || inner.pool.is_closed() {
            return;
        }
        let is_full = inner.pool.size() >= inner.pool.options().get_max_connections();
        let may_hand = is_full && age < HANDED_MAX;
        let mut state = self.lock();
        while may_hand && let Some(waiter) = state.waiting.pop_front() {
            match waiter.send(kept) {
                Ok(()) => return,
                Err(back) => kept = back,
            }
        }
        if state.waiting.is_empty() && state.kept.len() < inner.most {
            state.kept.push(kept);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0
            .state
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }
}

fn unanswered(time: Duration) -> sqlx::Error {
    let why = format!("no answer within {} s", time.as_secs());
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, why))
}

/// The same failure once more, if the server has kept silent or no connection could be had: for others who wait for the
/// same answer, as nobody need find that out alone.
pub fn silence(error: &sqlx::Error) -> Option<sqlx::Error> {
    match error {
        sqlx::Error::PoolTimedOut => Some(sqlx::Error::PoolTimedOut),
        sqlx::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
            let same = io::Error::new(error.kind(), error.to_string());
            Some(sqlx::Error::Io(same))
        }
        _ => None,
    }
}

/// Gives a connection back to its pool if it answers in time. The pool itself asks without an end, and counts the connection
/// as in use meanwhile.
fn give_back(mut connection: PoolConnection<Postgres>) {
    let Ok(runtime) = Handle::try_current() else {
        drop(connection.detach());
        return;
    };
    runtime.spawn(async move {
        match timeout(PROBED_WITHIN, connection.ping()).await {
            Ok(Ok(())) => drop(connection),
            Ok(Err(_)) | Err(_) => drop(connection.detach()),
        }
    });
}

/// The end at which a waiter is handed a connection.
struct Handed<'a>(&'a Warm, oneshot::Receiver<Kept>);

impl Drop for Handed<'_> {
    fn drop(&mut self) {
        // Whoever waits no more leaves the queue; what has come all the same is the next one's.
        self.1.close();
        if let Ok(kept) = self.1.try_recv() {
            self.0.keep(kept);
        } else {
            self.0.lock().waiting.retain(|waiter| !waiter.is_closed());
        }
    }
}

/// A connection in use.
pub struct Lent {
    /// None only in the moment in which it goes.
    connection: Option<PoolConnection<Postgres>>,
    taken_at: Instant,
    /// Who lets it go later than that has given up in the middle of something.
    until: Option<Instant>,
    home: Warm,
}

const HERE: &str = "a lent connection is taken only by what ends it";

impl Lent {
    /// Keeps it aside for the next statement.
    pub fn keep(mut self) {
        // Not kept, it goes to the pool as it is: it has answered just now.
        let Some(connection) = self.connection.take() else {
            return;
        };
        self.home.keep(Kept {
            connection,
            taken_at: self.taken_at,
            used_at: Instant::now(),
        });
    }

    /// It is not to be used again.
    pub fn close(mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.close_on_drop();
        }
    }

    /// Nobody else is to hear what still comes over it.
    pub fn detach(mut self) -> PgConnection {
        self.connection.take().expect(HERE).detach()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        if self.until.is_some_and(|until| Instant::now() >= until) {
            // Whatever still comes over it is nobody's answer.
            drop(connection.detach());
        } else {
            give_back(connection);
        }
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_deref().expect(HERE)
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_deref_mut().expect(HERE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_told_to_all_and_other_failures_to_nobody_else() {
        let check = |error: sqlx::Error, told: bool| {
            let again = silence(&error);
            assert_eq!(again.is_some(), told, "{error}");
            if let Some(again) = again {
                assert_eq!(again.to_string(), error.to_string());
                // Whoever hears it may have others to tell.
                assert!(silence(&again).is_some());
            }
        };
        check(sqlx::Error::PoolTimedOut, true);
        check(unanswered(Duration::from_secs(15)), true);
        check(
            sqlx::Error::Io(io::ErrorKind::ConnectionReset.into()),
            false,
        );
        check(sqlx::Error::RowNotFound, false);
    }
}
