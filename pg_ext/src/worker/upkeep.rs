//! What a sweeper does besides: it hints at changes, and deletes what has been kept long enough.

use super::settings;
use crate::catalog::{growth, numbers, prune};

/// How often old rows are looked for.
const PRUNE_EVERY_MS: u64 = 60_000;
/// How often it is asked whether numbers are left: nobody whose issue fails for that can tell.
const NUMBERS_EVERY_MS: u64 = 5_000;
/// How often the size of the table of leases is asked.
const MEASURE_EVERY_MS: u64 = 250;
/// Of so few pages nobody has to know more.
const FEW_PAGES: i64 = 8;
/// Statistics are taken again when there are so many times as many pages.
const TIMES: i64 = 4;

/// What was done when.
#[derive(Default)]
pub struct Upkeep {
    pruned_ms: u64,
    measured_ms: u64,
    numbered_ms: u64,
    known_pages: i64,
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
        if now_ms.saturating_sub(self.measured_ms) >= MEASURE_EVERY_MS {
            self.measured_ms = now_ms;
            let pages = growth::pages();
            if pages >= (self.known_pages * TIMES).max(FEW_PAGES) {
                growth::look();
                self.known_pages = pages;
            }
        }
        if now_ms.saturating_sub(self.numbered_ms) >= NUMBERS_EVERY_MS {
            self.numbered_ms = now_ms;
            numbers::mend();
        }
        if now_ms.saturating_sub(self.pruned_ms) >= PRUNE_EVERY_MS
            && !prune::old_rows(settings::history_days())
        {
            self.pruned_ms = now_ms;
        }
    }
}
