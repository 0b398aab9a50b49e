//! A sweep by hand: what the worker does, as far as one transaction can do it. Where the library is not preloaded, this
//! is how leases end in time.

use super::{BATCH, Estate, Fenced, clean, fence_due, finish, run_statements, sessions};
use crate::catalog::{ending, litter};
use crate::core::backoff;
use crate::core::label::Installation;
use crate::ffi::{backends, subxact, xact};
use crate::lease::spread;
use crate::worker;
use pgrx::datum::TimestampWithTimeZone;

/// Brings up to `at_most` leases forward, with the rights of the extension; how many were fenced or dropped. A lease
/// fenced here is dropped by a later call: only once its fence is committed is its login's last session certain.
pub fn sweep(installation: Installation, now: TimestampWithTimeZone, at_most: usize) -> usize {
    let at_most = at_most.min(BATCH);
    ending::absorb_end_requests(now);
    let mut fenced = Fenced::default();
    let mut stuck = Vec::new();
    while fenced.looked_at < at_most {
        let step = spread::spread(installation, now, &stuck, at_most - fenced.looked_at);
        fenced.absorb(step.fenced);
        stuck.extend(step.stuck);
        if !step.more {
            break;
        }
    }
    let held: Vec<i64> = fenced.held.iter().map(|&(number, _)| number).collect();
    let left = at_most.saturating_sub(fenced.looked_at);
    fenced.absorb(fence_due(installation, now, &held, left));
    sessions::end_those_of(&fenced.logins);
    let of_held: Vec<_> = fenced.held.iter().map(|&(_, login)| login).collect();
    sessions::end_those_of(&of_held);

    let home = xact::my_database();
    let without = |login| backends::others(|user| user == login).is_empty();
    let finished = finish(installation, home, now, &fenced.numbers, at_most, without);
    sessions::end_those_of(&finished.hunt);
    if !worker::heartbeat::fresh(home) {
        for next in finished.needs {
            // Here or nowhere: without a worker nobody can go to another database.
            if next.lease.statements {
                let result = inner(|| run_statements(next.lease.number));
                let error = result
                    .err()
                    .map(|reason| format!("ending statements: {reason}"));
                litter::mark_statements_ran(next.lease.number, error.as_deref());
            }
            let outcome = if !next.prepared.is_empty() {
                Err(format!(
                    "roll back prepared transaction {}",
                    next.prepared.join(", ")
                ))
            } else if next.databases.iter().any(|&database| database != home) {
                Err("something in another database depends on the login: preload the library, so that a \
                     worker can go there"
                    .into())
            } else if let Some(login) = next.lease.login {
                let estate = Estate::of(next.lease.reassign_to, next.lease.drop_owned);
                inner(|| clean(login, estate, true))
            } else {
                Ok(())
            };
            if let Err(reason) = outcome {
                let wait = backoff::wait_seconds(next.lease.attempts.saturating_add(1));
                ending::mark_failed(next.lease.number, &reason, wait);
            }
        }
    }
    sessions::end_those_without_user();
    fenced.numbers.len() + finished.gone.len()
}

/// Runs `work` so that what it did is undone if it fails.
fn inner(work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    subxact::subtransaction(|| {
        if let Err(reason) = work() {
            pgrx::error!("{reason}");
        }
    })
    .map_err(|error| crate::ffi::txn::describe(&error).to_string())
}
