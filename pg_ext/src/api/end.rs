//! The doorbells of what makes leases end: `sweep`, `heartbeat`, and the guard that loads the library.

use crate::core::error::Fault;
use crate::ffi::{clock, identity, label, xact};
use crate::lease::end;
use crate::worker::{self, heartbeat};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// `leasehold.sweep(at_most)`: how many leases it fenced or dropped.
#[pg_extern(sql = false)]
fn sweep(at_most: i32) -> Result<i64, ErrorReport> {
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
        let installation = label::installation(xact::my_database())
            .ok_or_else(|| Fault::Internal("the label of this database is gone".into()))?;
        let done = end::sweep(installation, clock::now(), most);
        Ok::<_, Fault>(i64::try_from(done).unwrap_or(i64::MAX))
    })?)
}

/// `leasehold.heartbeat()`: whether the library is preloaded, whether somebody enforces the leases of this database, who
/// that is, and how long ago it showed a sign of life.
#[pg_extern(sql = false)]
#[expect(
    clippy::type_complexity,
    reason = "the row type that SQL declares, written out as pgrx needs it"
)]
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
