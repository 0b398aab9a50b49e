//! The doorbells of what makes leases end: `await_ended`, `sweep`, `heartbeat`, and the guard that loads the library.

use super::args::{need, texts};
use crate::catalog::time;
use crate::core::error::Fault;
use crate::ffi::{clock, databases, identity, xact};
use crate::lease::end;
use crate::lease::scope::Caller;
use crate::worker::{self, heartbeat};
use pgrx::datum::{Array, Interval};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// `leasehold.await_ended(lease_ids, timeout, scope)`: how each lease stands once all are gone, or no access is left for two
/// seconds already, or the time is over.
#[pg_extern(sql = false)]
#[expect(
    clippy::type_complexity,
    reason = "the row type that SQL declares, written out as pgrx needs it"
)]
fn await_ended(
    lease_ids: Option<Array<'_, &str>>,
    timeout: Option<Interval>,
    scope: Option<&str>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(lease_id, String),
            name!(state, String),
            name!(pids, Vec<i32>),
            name!(last_error, Option<String>),
        ),
    >,
    ErrorReport,
> {
    // What it waits for is the end that this very transaction may have asked for, and others see that at its commit.
    if xact::has_written() {
        return Err(ErrorReport::new(
            PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
            "await_ended can not be called in a transaction that has written",
            "await_ended",
        )
        .set_hint("COMMIT first: the worker ends leases only after that."));
    }
    let lease_ids = texts("lease_ids", lease_ids)?;
    let timeout_ms = time::length(&need("timeout", timeout)?) / 1_000;
    let caller = Caller::current()?;
    let ended = identity::as_extension(|| {
        let scopes = Spi::connect_mut(|db| caller.reach(db, scope))?;
        Ok::<_, Fault>(end::await_ended(
            &lease_ids,
            &scopes,
            u64::try_from(timeout_ms).unwrap_or(0),
        ))
    })?;
    let row = |each: end::Ended| {
        (
            each.standing.lease_id,
            each.standing.state,
            each.pids,
            each.standing.last_error,
        )
    };
    Ok(TableIterator::new(ended.into_iter().map(row)))
}

/// `leasehold.sweep(at_most)`: how many leases it fenced or dropped.
#[pg_extern(sql = false)]
fn sweep(at_most: Option<i32>) -> Result<i64, ErrorReport> {
    let at_most = need("at_most", at_most)?;
    if at_most < 1 {
        let what = format!("at_most is {at_most}");
        return Err(Fault::Argument {
            what,
            cure: "Give a positive number.".into(),
        }
        .into());
    }
    xact::refuse_prepare();
    let most = usize::try_from(at_most).unwrap_or(end::BATCH);
    Ok(identity::as_extension(|| {
        let installation = databases::own_installation()?;
        let done = end::sweep(installation, clock::now(), most);
        Ok::<_, Fault>(i64::try_from(done).unwrap_or(i64::MAX))
    })?)
}

/// `leasehold.heartbeat()`: whether the library is preloaded, whether somebody enforces the leases of this database, who
/// that is, and how long ago it showed a sign of life.
#[pg_extern(sql = false)]
fn heartbeat() -> TableIterator<
    'static,
    (
        name!(preloaded, bool),
        name!(enforced, bool),
        name!(sweeper_pid, Option<i32>),
        name!(age_ms, Option<i64>),
    ),
> {
    let database = xact::my_database();
    let age_ms = heartbeat::age_ms(database).and_then(|age| i64::try_from(age).ok());
    TableIterator::once((
        worker::preloaded(),
        heartbeat::fresh(database),
        heartbeat::sweeper_pid(database),
        age_ms,
    ))
}

/// `leasehold.guard()`: does nothing. That it is called loads the library, which watches what is dropped.
#[pg_extern(sql = false)]
fn guard() {}
