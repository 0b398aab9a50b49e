//! The groups of shared recipes that nothing needs any more: the recipe is gone or says something else now, and the last
//! of its logins is fenced. They are cleaned in every database, as logins are, and dropped.

use super::board::Board;
use super::errands::Errands;
use super::job::{Answer, Order};
use crate::catalog::litter;
use crate::catalog::shared::{self, Unneeded};
use crate::core::backoff;
use crate::core::label::Installation;
use crate::core::trouble::Trouble;
use crate::ffi::{clock, drop, group, txn};
use pgrx::pg_sys;

/// How often they are looked for; nobody waits for them.
const LOOK_EVERY_MS: u64 = 1_000;
/// How many are seen to at once.
const AT_MOST: i64 = 20;

/// A sweeper's side of it.
pub struct Groups {
    errands: Errands,
    installation: Installation,
    home: pg_sys::Oid,
    looked_ms: u64,
}

impl Groups {
    /// None known yet.
    pub fn new(board: &'static Board, installation: Installation, home: pg_sys::Oid) -> Self {
        Self {
            errands: Errands::new(board, home),
            installation,
            home,
            looked_ms: 0,
        }
    }

    /// True while cleaners are out.
    pub fn any(&self) -> bool {
        self.errands.any()
    }

    /// Takes in what the cleaners have found, drops groups that nothing depends on, and sends cleaners for others.
    pub fn see_to(&mut self) {
        let now_ms = clock::monotonic_ms();
        let mut came_back = false;
        for report in self.errands.collect(now_ms) {
            came_back = true;
            if let Answer::Failed(reason) = report.answer {
                let name = txn::run(|| litter::database_name(report.database));
                let name = name.ok().flatten().unwrap_or_default();
                let reason = format!("database \"{name}\": {reason}");
                put_off(report.order.lease, &reason);
            }
        }
        let due = now_ms.saturating_sub(self.looked_ms) >= LOOK_EVERY_MS;
        if !self.errands.any() && (due || came_back) {
            self.looked_ms = now_ms;
            self.look();
        }
        self.errands.send(now_ms);
    }

    fn look(&mut self) {
        let installation = self.installation;
        match txn::run(|| shared::take_unneeded(installation, AT_MOST)) {
            Ok(found) => {
                for unneeded in found {
                    self.remove(&unneeded);
                }
            }
            Err(trouble) => pgrx::log!("leasehold sweeper (groups): {trouble}"),
        }
    }

    fn remove(&mut self, unneeded: &Unneeded) {
        let number = unneeded.number;
        let Some(role) = unneeded.role else {
            // Dropped by hand, or never ours: there is nothing to remove but the row.
            settle(number, txn::run(|| shared::forget(number)));
            return;
        };
        if unneeded.databases.is_empty() {
            settle(number, txn::run(|| drop_unless_needed(number, role)));
            return;
        }
        for &database in &unneeded.databases {
            let shared = database == pg_sys::InvalidOid;
            let place = if shared { self.home } else { database };
            let order = Order {
                reassign_to: unneeded.reassign_to,
                drop_owned: unneeded.drop_owned,
                ..Order::group(number, role)
            };
            // What belongs to the whole cluster is cleaned at home, in one visit with what is there.
            if !(shared && unneeded.databases.contains(&self.home)) {
                self.errands.add(place, order);
            }
        }
    }
}

/// An issue may have joined a login to it since we looked: nobody can while we hold it. Whoever holds it now is not waited for:
/// ends would wait along.
fn drop_unless_needed(number: i64, role: pg_sys::Oid) {
    if !group::try_hold_alone(role) {
        pgrx::error!("somebody is granting something to it, or issues a login of it");
    }
    if !shared::has_logins(role) {
        drop::roles(&litter::lock_names(&[role]));
        shared::forget(number);
    }
}

fn settle(number: i64, done: Result<(), Trouble>) {
    if let Err(trouble) = done {
        put_off(number, &trouble.to_string());
    }
}

fn put_off(number: i64, reason: &str) {
    let written = txn::run(|| {
        let attempts = shared::attempts(number);
        shared::put_off(
            number,
            reason,
            backoff::wait_seconds(attempts.saturating_add(1)),
        );
    });
    if let Err(trouble) = written {
        pgrx::log!("leasehold sweeper (groups): {trouble}");
    }
}
