//! What requests leave to the tasks beside them: leases to confirm, targets to look at at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;
use uuid::Uuid;

/// One per process. Losing what is in it costs time, never a lease: an unconfirmed one is settled, a target is looked at anyway.
#[derive(Default)]
pub struct Errands {
    unconfirmed: Mutex<Vec<String>>,
    nudges: Mutex<HashMap<Uuid, Arc<Notify>>>,
}

impl Errands {
    /// The target has answered for this lease, and so have we.
    pub fn confirm_later(&self, lease_id: String) {
        lock(&self.unconfirmed).push(lease_id);
    }

    /// All that waits for its confirmation.
    pub(super) fn take_unconfirmed(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.unconfirmed))
    }

    /// Something is to be told to, or heard from, this target now.
    pub fn nudge(&self, target_id: Uuid) {
        self.of(target_id).notify_one();
    }

    /// What the task that tends a target waits for.
    pub(super) fn of(&self, target_id: Uuid) -> Arc<Notify> {
        lock(&self.nudges).entry(target_id).or_default().clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|broken| broken.into_inner())
}
