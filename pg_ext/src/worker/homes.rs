//! Which databases the launcher serves. To read that in a process without a database is to go through the labels of all logins,
//! however many these are, so it is remembered.

use super::board::Board;
use crate::ffi::databases::{self, Home};
use crate::ffi::{clock, txn};
use pgrx::pg_sys;
use std::sync::atomic::Ordering::SeqCst;

/// Nobody tells of a label that a prepared transaction has set, or that has come to a standby.
const READ_AGAIN_MS: u64 = 10_000;

/// The homes as they were read last.
#[derive(Default)]
pub struct Homes {
    known: Vec<Home>,
    /// What was seen when they were read: all databases, what the board said of labels, and when.
    read_at: Option<(Vec<pg_sys::Oid>, u64, u64)>,
}

impl Homes {
    /// Every home there is, read again if a label may have changed; `None`, and a line in the log, if that fails.
    pub fn look(&mut self, board: &Board) -> Option<&[Home]> {
        let now_ms = clock::monotonic_ms();
        // Before they are read: what is said meanwhile counts for the next time.
        let labelled = board.labelled.load(SeqCst);
        let read = txn::run(|| {
            let databases = databases::all();
            let is_known = |(of, at, ms): &(Vec<pg_sys::Oid>, u64, u64)| {
                *of == databases && *at == labelled && now_ms.saturating_sub(*ms) < READ_AGAIN_MS
            };
            if self.read_at.as_ref().is_some_and(is_known) {
                return None;
            }
            Some((databases::homes_without_index(), databases))
        });
        match read {
            Ok(None) => {}
            Ok(Some((homes, databases))) => {
                self.known = homes;
                self.read_at = Some((databases, labelled, now_ms));
            }
            Err(trouble) => {
                pgrx::log!("leasehold launcher can not read the databases: {trouble}");
                return None;
            }
        }
        Some(&self.known)
    }
}
