//! What clients were told, kept outside of everything that can crash.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

/// How a lease stands by what its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// Its credential was handed out.
    Live,
    /// Its end was asked for, and no answer came.
    Unknown,
    /// Its end was acknowledged.
    Ended,
}

/// A lease that a client has heard of.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its login.
    pub login: String,
    /// What opens it.
    pub password: String,
    /// How it stands.
    pub stand: Stand,
    /// It lives at least until then.
    pub least: SystemTime,
    /// It lives no longer than until then.
    pub most: SystemTime,
}

/// Lease id to what is known of it.
#[derive(Default)]
pub struct Ledger {
    /// All of them, since the beginning or the last [`Ledger::forget_ended`].
    pub leases: BTreeMap<String, Entry>,
    /// How many were ever issued.
    pub issued: usize,
    /// How many renewals were acknowledged.
    pub renewed: usize,
    /// How many ends were acknowledged.
    pub ended: usize,
}

/// A ledger that many clients write.
#[derive(Clone, Default)]
pub struct Share(Arc<Mutex<Ledger>>);

impl Share {
    /// The ledger itself.
    pub fn open(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

impl Ledger {
    /// A credential was handed out: asked for at `asked`, for `ttl` from some time after that.
    pub fn issue(
        &mut self,
        lease: &str,
        login: &str,
        password: &str,
        asked: SystemTime,
        ttl: Duration,
    ) {
        self.issued += 1;
        let entry = Entry {
            login: login.to_owned(),
            password: password.to_owned(),
            stand: Stand::Live,
            least: asked + ttl,
            most: SystemTime::now() + ttl,
        };
        self.leases.insert(lease.to_owned(), entry);
    }

    /// A renewal for `ttl` is asked for; without an answer it may still come about for as long as a broker tries.
    pub fn renewing(&mut self, lease: &str, ttl: Duration) {
        const TRIED_FOR: Duration = Duration::from_secs(60);
        if let Some(entry) = self.leases.get_mut(lease) {
            entry.most = entry.most.max(SystemTime::now() + TRIED_FOR + ttl);
        }
    }

    /// It was acknowledged: at least `ttl` from `asked` on.
    pub fn renew(&mut self, lease: &str, asked: SystemTime, ttl: Duration) {
        self.renewed += 1;
        if let Some(entry) = self.leases.get_mut(lease) {
            entry.least = asked + ttl;
            entry.most = SystemTime::now() + ttl;
        }
    }

    /// An end is asked for: until the answer is there it may live or not.
    pub fn ending(&mut self, lease: &str) {
        if let Some(entry) = self.leases.get_mut(lease) {
            entry.stand = Stand::Unknown;
        }
    }

    /// It was acknowledged.
    pub fn end(&mut self, lease: &str) {
        self.ended += 1;
        if let Some(entry) = self.leases.get_mut(lease) {
            entry.stand = Stand::Ended;
        }
    }

    /// Leases of a mount that is being ended.
    pub fn ending_all(&mut self) {
        for entry in self.leases.values_mut() {
            if entry.stand == Stand::Live {
                entry.stand = Stand::Unknown;
            }
        }
    }

    /// Lets go of what has long ended, by an answer or by time.
    pub fn forget_ended(&mut self, since: Duration) {
        let before = SystemTime::now() - since;
        self.leases
            .retain(|_, entry| entry.stand == Stand::Live && entry.most > before);
    }
}
