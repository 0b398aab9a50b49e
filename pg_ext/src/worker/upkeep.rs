//! What a sweeper does besides: it hints at changes, and deletes what has been kept long enough.

use super::settings;
use crate::catalog::prune;

/// How often old rows are looked for.
const PRUNE_EVERY_MS: u64 = 60_000;

/// What was done when.
#[derive(Default)]
pub struct Upkeep {
    pruned_ms: u64,
    hinted: i64,
}

impl Upkeep {
    /// Does what there is to do, inside a transaction; `now_ms` is the monotonic clock.
    pub fn run(&mut self, now_ms: u64) {
        let newest = prune::newest_change();
        if newest > self.hinted {
            prune::hint_changes();
        }
        self.hinted = newest;
        if now_ms.saturating_sub(self.pruned_ms) >= PRUNE_EVERY_MS
            && !prune::old_rows(settings::history_days())
        {
            self.pruned_ms = now_ms;
        }
    }
}
