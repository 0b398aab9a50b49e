//! The look for backends whose user no longer exists, which goes on for ever.

use crate::ffi::{clock, txn};
use crate::lease::end;

/// How often.
const LOOK_EVERY_MS: u64 = 500;

/// When a worker has looked last.
#[derive(Default)]
pub struct Orphans {
    looked_ms: u64,
}

impl Orphans {
    /// Ends them, if it is time to look again.
    pub fn look(&mut self) {
        let now_ms = clock::monotonic_ms();
        if now_ms.saturating_sub(self.looked_ms) < LOOK_EVERY_MS {
            return;
        }
        self.looked_ms = now_ms;
        if let Err(trouble) = txn::run(end::end_those_without_user) {
            pgrx::log!("leasehold can not look for backends without a user: {trouble}");
        }
    }
}
