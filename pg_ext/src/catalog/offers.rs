//! Groups that superusers have offered to definers.

use super::plan::rows;
use crate::core::error::Fault;
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiClient;

const OF_GROUP: &str = "select to_oid, to_role::text from leasehold.offers where group_oid = $1 and group_role = $2::name";
const ADD: &str = "insert into leasehold.offers (group_oid, group_role, to_oid, to_role, offered_by)
         values ($1, $2::name, $3, $4::name, $5::name)
         on conflict (group_oid, to_oid) do update
             set group_role = excluded.group_role, to_role = excluded.to_role, offered_by = excluded.offered_by";
const REMOVE: &str =
    "delete from leasehold.offers where group_role = $1::name and to_role = $2::name returning 1";

/// Whom `group` is offered to, by OID and name. Both count: an OID may be another role's after a restore.
pub fn of_group(
    db: &mut SpiClient<'_>,
    group: Oid,
    name: &str,
) -> Result<Vec<(Oid, String)>, Fault> {
    rows(db, OF_GROUP, &[group.into(), name.into()])?
        .map(|row| {
            Ok((
                row.get(1)?.unwrap_or(Oid::INVALID),
                row.get(2)?.unwrap_or_default(),
            ))
        })
        .collect()
}

/// Offers a group to a role; each by OID and name.
pub fn add(
    db: &mut SpiClient<'_>,
    group: (Oid, &str),
    to: (Oid, &str),
    by: &str,
) -> Result<(), Fault> {
    rows(
        db,
        ADD,
        &[
            group.0.into(),
            group.1.into(),
            to.0.into(),
            to.1.into(),
            by.into(),
        ],
    )
    .map(|_| ())
}

/// Takes an offer back; false if there was none.
pub fn remove(db: &mut SpiClient<'_>, group: &str, to: &str) -> Result<bool, Fault> {
    Ok(!rows(db, REMOVE, &[group.into(), to.into()])?.is_empty())
}
