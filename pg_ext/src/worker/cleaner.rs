//! A cleaner: visits one database for a few seconds, cleans it of the logins on its errand, and leaves. In the home of
//! the leases it also runs the ending statements of their recipes.

use super::job::{Answer, Item, Order};
use crate::catalog::shared;
use crate::core::trouble::Trouble;
use crate::ffi::{bgworker, clock, databases, group, label, owned, settings, shmem, txn};
use crate::lease::end::{self, Estate};
use pgrx::pg_sys;
use std::sync::atomic::Ordering::SeqCst;

/// Whoever is connected to a database keeps others from dropping or copying it for five seconds, then they fail. A
/// visit is over before that.
const VISIT_MAX_MS: u64 = 4_000;

/// A cleaner's life; `index` is its job on the board.
pub fn main(index: usize) {
    bgworker::take_signals();
    let board = shmem::board().expect("a cleaner exists only where the library was preloaded");
    let job = &board.jobs[index];
    job.cleaner.store(bgworker::my_pid().unsigned_abs(), SeqCst);
    bgworker::at_exit(at_exit);

    bgworker::connect(pg_sys::Oid::from(job.database.load(SeqCst)));
    settings::pin(c"1s");
    let began_ms = clock::monotonic_ms();
    let at_home = job.home.load(SeqCst) == job.database.load(SeqCst);
    for item in job.used() {
        if clock::monotonic_ms().saturating_sub(began_ms) > VISIT_MAX_MS {
            break;
        }
        serve(item, at_home);
    }
    bgworker::finish();
}

extern "C-unwind" fn at_exit(_code: i32, _argument: pg_sys::Datum) {
    let me = bgworker::my_pid().unsigned_abs();
    for job in shmem::board().iter().flat_map(|board| &board.jobs) {
        // Another process may have the job by now; only our own mark is ours to remove.
        let _ = job.cleaner.compare_exchange(me, 0, SeqCst, SeqCst);
    }
}

fn serve(item: &Item, at_home: bool) {
    let order = item.read();
    if order.stranger {
        item.answer(&super::strangers::see_to(order));
        return;
    }
    if at_home && order.statements {
        item.begin_statements();
        super::statements::run(order.lease);
    }
    let answer = match order.login {
        Some(login) => match clean(login, order, at_home) {
            Ok(()) => Answer::Clean,
            Err(reason) => Answer::Failed(reason),
        },
        None => Answer::Clean,
    };
    item.answer(&answer);
}

fn clean(login: pg_sys::Oid, order: Order, at_home: bool) -> Result<(), String> {
    // Another sweeper may have finished with it, and an OID may be given out again.
    let still_ours = txn::run(|| databases::role_exists(login) && marks(login, order))
        .map_err(|trouble| trouble.to_string())?;
    if !still_ours {
        return Ok(());
    }
    let prepared = txn::run(|| crate::catalog::dependents::prepared(login)).map_err(say)?;
    for gid in prepared {
        txn::run(|| owned::roll_back_prepared(&gid)).map_err(|trouble| {
            format!("its prepared transaction \"{gid}\" can not be rolled back: {trouble}")
        })?;
    }
    if order.prepared_only {
        return Ok(());
    }
    let estate = Estate::of(order.reassign_to, order.drop_owned);
    // Somebody else may be at the same rows for a moment.
    let work = || {
        // An issue that was under way when the group seemed to be needed by nobody: it has joined a login to it.
        if order.group && joined(login) {
            return Ok(());
        }
        end::clean(login, estate, at_home)
    };
    let mut result = txn::run(work);
    for _ in 0..3 {
        match &result {
            Err(trouble) if trouble.passes() && trouble.code != "55P03" => {
                result = txn::run(work);
            }
            _ => break,
        }
    }
    result.map_err(say)?
}

/// A login whose mark was taken off is fenced too, and so what keeps it from that is rolled back; nothing else of it is
/// touched.
fn marks(login: pg_sys::Oid, order: Order) -> bool {
    if order.group {
        return label::read_group(login).is_some_and(|mark| mark.group_number == order.lease);
    }
    label::read(login).map_or(order.prepared_only, |mark| mark.lease_number == order.lease)
}

/// True if a login of ours is a member of `group`; else nobody joins one until this transaction ends.
fn joined(group: pg_sys::Oid) -> bool {
    group::hold_alone(group);
    shared::has_marked_members(group)
}

fn say(trouble: Trouble) -> String {
    trouble.to_string()
}
