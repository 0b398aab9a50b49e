//! The rows of logins in `pg_authid`, as far as a verb has to wait for them.

use super::plan::rows;
use crate::core::error::Fault;
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiClient;

const LOCK: &str =
    "select a.oid from pg_catalog.pg_authid a where a.oid = any($1) for update skip locked";

/// Locks the rows of these logins; gives back those it has got. The others are another transaction's, or are not there.
pub fn lock(db: &mut SpiClient<'_>, logins: &[Oid]) -> Result<Vec<Oid>, Fault> {
    rows(db, LOCK, &[logins.to_vec().into()])?
        .map(|row| Ok(row.get(1)?.unwrap_or(Oid::INVALID)))
        .collect()
}
