//! The outbox: what a broker's store has not acknowledged yet. A scope without a broker has none.

use super::plan::rows;
use super::time::{instant, micros};
use crate::core::error::Fault;
use crate::core::names::SQL_SCOPE;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::spi::SpiClient;

/// One row of it.
pub struct Change {
    /// What it is acknowledged by.
    pub id: i64,
    /// The lease's id.
    pub lease_id: String,
    /// `renewed` or `ended`.
    pub kind: String,
    /// The lease's own end after a renewal.
    pub expires_at: Option<i64>,
    /// Why it ended.
    pub cause: Option<String>,
    /// When this was written.
    pub at: i64,
}

const RENEWED: &str =
    "insert into leasehold.outbox (scope, lease_number, lease_id, kind, expires_at)
         select r.scope, r.lease_number, r.lease_id, 'renewed', r.expires_at
           from unnest($1::text[], $2::bigint[], $3::text[], $4::timestamptz[])
                  as r (scope, lease_number, lease_id, expires_at)";
const READ: &str = "select id, lease_id, kind, expires_at, cause, at from leasehold.outbox where scope = any($1) order by id limit $2";
const ACKNOWLEDGE: &str =
    "with gone as (delete from leasehold.outbox where id = any($1) and scope = any($2) returning 1)
         select pg_catalog.count(*) from gone";

/// Notes renewals: whose lease, its number and id, and its own end.
pub fn renewed(db: &mut SpiClient<'_>, renewals: &[(&str, i64, &str, i64)]) -> Result<(), Fault> {
    let told = || renewals.iter().filter(|(scope, ..)| *scope != SQL_SCOPE);
    if told().next().is_none() {
        return Ok(());
    }
    let args = [
        told().map(|one| one.0).collect::<Vec<&str>>().into(),
        told().map(|one| one.1).collect::<Vec<i64>>().into(),
        told().map(|one| one.2).collect::<Vec<&str>>().into(),
        told()
            .map(|one| instant(one.3))
            .collect::<Vec<TimestampWithTimeZone>>()
            .into(),
    ];
    rows(db, RENEWED, &args).map(|_| ())
}

/// The oldest rows of these scopes.
pub fn read(db: &mut SpiClient<'_>, scopes: &[String], at_most: i64) -> Result<Vec<Change>, Fault> {
    rows(db, READ, &[scopes.to_vec().into(), at_most.into()])?
        .map(|row| {
            Ok(Change {
                id: row.get(1)?.unwrap_or_default(),
                lease_id: row.get(2)?.unwrap_or_default(),
                kind: row.get(3)?.unwrap_or_default(),
                expires_at: row.get::<TimestampWithTimeZone>(4)?.map(micros),
                cause: row.get(5)?,
                at: row
                    .get::<TimestampWithTimeZone>(6)?
                    .map(micros)
                    .unwrap_or_default(),
            })
        })
        .collect()
}

/// Removes what has been acknowledged; how many rows that were.
pub fn acknowledge(db: &mut SpiClient<'_>, ids: &[i64], scopes: &[String]) -> Result<i64, Fault> {
    Ok(rows(
        db,
        ACKNOWLEDGE,
        &[ids.to_vec().into(), scopes.to_vec().into()],
    )?
    .first()
    .get_one()?
    .unwrap_or(0))
}
