//! The table into which every issue and every settlement inserts, so that one of two wins.

use super::plan::rows;
use crate::core::error::Fault;
use pgrx::spi::SpiClient;
use std::collections::HashMap;

/// What is known of a request id.
pub struct Request {
    /// The lease it made; `None` if it is cancelled.
    pub lease_number: Option<i64>,
    /// What it asked for.
    pub fingerprint: Option<Vec<u8>>,
}

const CLAIM: &str = "insert into leasehold.requests (scope, request_id, lease_number, fingerprint)
         select $1, r.request_id, pg_catalog.nextval('leasehold.live_leases_lease_number_seq'), r.fingerprint
           from unnest($2::text[], $3::bytea[]) as r (request_id, fingerprint)
         on conflict (scope, request_id) do nothing returning request_id, lease_number";
const CANCEL: &str = "insert into leasehold.requests (scope, request_id) values ($1, $2)
         on conflict (scope, request_id) do nothing returning true";
const FIND: &str =
    "select lease_number, fingerprint from leasehold.requests where scope = $1 and request_id = $2";

/// Takes these ids for new leases and gives those their numbers, by id; ids that are taken are left out. Waits for other
/// transactions that have one in their hands. No id may be there twice.
pub fn claim(
    db: &mut SpiClient<'_>,
    scope: &str,
    claims: &[(&str, &[u8; 32])],
) -> Result<HashMap<String, i64>, Fault> {
    // In one order, or two calls for the same ids would wait for each other.
    let mut claims = claims.to_vec();
    claims.sort_unstable();
    let ids: Vec<&str> = claims.iter().map(|(id, _)| *id).collect();
    let fingerprints: Vec<&[u8]> = claims.iter().map(|(_, print)| print.as_slice()).collect();
    rows(db, CLAIM, &[scope.into(), ids.into(), fingerprints.into()])?
        .map(|row| {
            let taken = || Fault::Internal("a column of leasehold.requests is null".into());
            Ok((
                row.get(1)?.ok_or_else(taken)?,
                row.get(2)?.ok_or_else(taken)?,
            ))
        })
        .collect()
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
