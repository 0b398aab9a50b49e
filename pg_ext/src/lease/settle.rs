//! Settle: what became of requests whose answer got lost. One that has not been issued by now never will be.

use super::scope::Caller;
use crate::catalog::{leases, requests};
use crate::core::error::Fault;
use crate::core::ttl::left_seconds;
use crate::ffi::{clock, durable, xact};
use pgrx::spi::SpiClient;

/// How many ids one call settles at most.
pub const IDS_MAX: usize = 10_000;

/// What became of one request.
pub struct Settled {
    /// Its id.
    pub request_id: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What can have become of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It made a lease, which has this long to live.
    Issued {
        /// Whole seconds left.
        ttl_seconds: i64,
    },
    /// It made none, and never will.
    Cancelled,
    /// It made a lease that has ended.
    Ended,
}

/// Settles these requests, each id once, in the order of ids: two calls can not lock each other out.
pub fn settle(
    db: &mut SpiClient<'_>,
    caller: &Caller,
    mut ids: Vec<String>,
    scope: Option<&str>,
) -> Result<Vec<Settled>, Fault> {
    if ids.len() > IDS_MAX {
        return Err(Fault::argument(
            format!("more than {IDS_MAX} request ids"),
            "Settle them in several calls.",
        ));
    }
    let scope = caller.one(db, scope)?;
    durable::ensure();
    xact::refuse_prepare();
    ids.sort();
    ids.dedup();
    ids.into_iter()
        .map(|request_id| {
            let outcome = outcome(db, scope, &request_id)?;
            Ok(Settled {
                request_id,
                outcome,
            })
        })
        .collect()
}

fn outcome(db: &mut SpiClient<'_>, scope: &str, id: &str) -> Result<Outcome, Fault> {
    if requests::cancel(db, scope, id)? {
        return Ok(Outcome::Cancelled);
    }
    let request = requests::find(db, scope, id)?
        .ok_or_else(|| Fault::Internal("a request id that is taken is not there".into()))?;
    let Some(number) = request.lease_number else {
        return Ok(Outcome::Cancelled);
    };
    let now = clock::wall();
    Ok(match leases::by_number(db, number)? {
        Some(lease) if lease.active && lease.due_at > now => Outcome::Issued {
            ttl_seconds: left_seconds(lease.expires_at, now),
        },
        _ => Outcome::Ended,
    })
}
