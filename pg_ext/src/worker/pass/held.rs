//! What of a pass sees to those who hold off an end.

use super::{HELD_AGAIN_US, Pass, STUCK_AGAIN_US, step};
use crate::catalog::{held, numbers};
use crate::ffi::{backends, clock};
use crate::lease::end;
use crate::worker::job::Order;
use pgrx::pg_sys;

/// A caller's transaction that holds a due lease's row does not hold off the end of its sessions longer than this.
const HELD_SESSIONS_AFTER_US: i64 = 250_000;
/// After this long the holder itself is ended.
const HELD_HOLDER_AFTER_US: i64 = 1_000_000;

impl Pass {
    /// Sends a cleaner to roll back the prepared transactions that keep a login from being fenced.
    pub(super) fn free_from_prepared(&mut self, lease: i64, login: pg_sys::Oid) {
        let prepared = step("prepared", || held::prepared_against(login));
        let under_way = self.errands.leases();
        for each in prepared.unwrap_or_default() {
            if !under_way.contains(&lease) {
                self.errands
                    .add(each.database, Order::prepared_only(lease, login));
            }
        }
    }

    /// Sees to due leases and owners whose rows somebody holds: their sessions end all the same, and then the holder does.
    pub(super) fn watch_held(&mut self) -> pg_sys::TimestampTz {
        let installation = self.installation;
        let held = step("held", || {
            let leases = held::leases(clock::now(), installation);
            (leases, held::owners())
        });
        let (leases, owners) = held.unwrap_or_default();
        let now = clock::wall();
        let mut again = pg_sys::TimestampTz::MAX;
        for lease in leases {
            again = now + HELD_AGAIN_US;
            if now - lease.due_at > HELD_SESSIONS_AFTER_US
                && let Some(login) = lease.login
            {
                end::end_those_of(&[login]);
            }
            if now - lease.due_at > HELD_HOLDER_AFTER_US {
                end_holders(
                    &lease.holders.pids,
                    &format!("lease number {}", lease.number),
                );
            }
        }
        for owner in owners {
            again = again.min(now + STUCK_AGAIN_US);
            if owner
                .due_at
                .is_some_and(|due_at| now - due_at > HELD_HOLDER_AFTER_US)
            {
                end_holders(&owner.holders.pids, "an owner of leases");
            }
        }
        again
    }

    /// Sees to what keeps ends from being written at all: somebody has locked our tables, or used their numbers up. Who writes
    /// all data may do either. A superuser's lock is waited for.
    pub(super) fn watch_tables(&mut self, well: bool) -> pg_sys::TimestampTz {
        if well {
            self.failing_since = None;
            return pg_sys::TimestampTz::MAX;
        }
        let now = clock::wall();
        step("numbers", numbers::mend);
        let since = *self.failing_since.get_or_insert(now);
        if now - since > HELD_HOLDER_AFTER_US {
            let pids = step("tables", held::who_locks_tables);
            end_holders(&pids.unwrap_or_default(), "the tables of leases");
        }
        now + HELD_AGAIN_US
    }
}

/// Ends the backends that hold off an end.
fn end_holders(pids: &[i32], what: &str) {
    for backend in backends::others(|_| true) {
        if pids.contains(&backend.pid) && backends::terminate(backend) {
            pgrx::log!(
                "ended backend {}, whose open transaction held {what} past its end",
                backend.pid
            );
        }
    }
}
