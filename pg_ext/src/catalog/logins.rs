//! The rows of logins in `pg_authid`, as far as a verb has to wait for them.

use super::plan::rows;
use crate::core::error::Fault;
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiClient;

const LOCK: &str = "select from pg_catalog.pg_authid a where a.oid = $1 for update skip locked";

/// Locks the row of `login`; false if another transaction has it, or there is none.
pub fn lock(db: &mut SpiClient<'_>, login: Oid) -> Result<bool, Fault> {
    Ok(!rows(db, LOCK, &[login.into()])?.is_empty())
}
