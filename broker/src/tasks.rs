//! Work beside the requests: what goes on after an answer, and the loops that tend to targets. Ended with the process:
//! told to stop, given a grace, then dropped.

use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

/// A set of running tasks and their common stop signal.
pub struct Tasks {
    running: Mutex<JoinSet<()>>,
    stop: watch::Sender<bool>,
}

impl Default for Tasks {
    fn default() -> Self {
        Tasks {
            running: Mutex::default(),
            stop: watch::Sender::new(false),
        }
    }
}

/// Tells a loop when to end.
#[derive(Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Whether the process is going down.
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is.
    pub async fn stopped(&mut self) {
        // The sender lives as long as the core; its end means the same.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }

    /// Sleeps; false if the process began to go down meanwhile.
    pub async fn sleep(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.stopped()).await.is_err()
    }
}

impl Tasks {
    /// Starts a task. Must be called within the runtime.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.lock();
        while running.try_join_next().is_some() {}
        // On its way into the runtime it is moved several times, and that of a request is large.
        running.spawn(Box::pin(work));
    }

    /// What a long-lived task looks at to end in time.
    pub fn stop_signal(&self) -> Stop {
        Stop(self.stop.subscribe())
    }

    /// Tells all to stop and waits for them, no longer than the grace.
    pub async fn finish(&self, grace: Duration) {
        self.stop.send_replace(true);
        // The last of them may start others.
        let all = async {
            loop {
                let mut running = std::mem::take(&mut *self.lock());
                if running.is_empty() {
                    return;
                }
                while running.join_next().await.is_some() {}
            }
        };
        if tokio::time::timeout(grace, all).await.is_err() {
            tracing::warn!("gave up waiting for tasks");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, JoinSet<()>> {
        self.running
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }
}
