//! The table into which every issue and every settlement inserts, so that one of two wins.

use super::plan::rows;
use crate::core::error::Fault;
use pgrx::spi::SpiClient;

/// What is known of a request id.
pub struct Request {
    /// The lease it made; `None` if it is cancelled.
    pub lease_number: Option<i64>,
    /// What it asked for.
    pub fingerprint: Option<Vec<u8>>,
}

const CLAIM: &str = "insert into leasehold.requests (scope, request_id, lease_number, fingerprint)
         values ($1, $2, pg_catalog.nextval('leasehold.live_leases_lease_number_seq'), $3)
         on conflict (scope, request_id) do nothing returning lease_number";
const CANCEL: &str = "insert into leasehold.requests (scope, request_id) values ($1, $2)
         on conflict (scope, request_id) do nothing returning true";
const FIND: &str =
    "select lease_number, fingerprint from leasehold.requests where scope = $1 and request_id = $2";

/// Takes the id for a new lease and gives that lease its number; `None` if the id is taken. Waits for another
/// transaction that has it in its hands.
pub fn claim(
    db: &mut SpiClient<'_>,
    scope: &str,
    id: &str,
    fingerprint: &[u8; 32],
) -> Result<Option<i64>, Fault> {
    let made = rows(
        db,
        CLAIM,
        &[scope.into(), id.into(), fingerprint.as_slice().into()],
    )?;
    Ok(if made.is_empty() {
        None
    } else {
        made.first().get_one()?
    })
}

/// Takes the id so that it never makes a lease; false if it is taken. Waits as [`claim`] does.
pub fn cancel(db: &mut SpiClient<'_>, scope: &str, id: &str) -> Result<bool, Fault> {
    Ok(!rows(db, CANCEL, &[scope.into(), id.into()])?.is_empty())
}

/// What is known of an id that is taken.
pub fn find(db: &mut SpiClient<'_>, scope: &str, id: &str) -> Result<Option<Request>, Fault> {
    let found = rows(db, FIND, &[scope.into(), id.into()])?;
    if found.is_empty() {
        return Ok(None);
    }
    let row = found.first();
    Ok(Some(Request {
        lease_number: row.get(1)?,
        fingerprint: row.get(2)?,
    }))
}
