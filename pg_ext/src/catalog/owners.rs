//! The table of owners: what leases are tied to besides their own end.

use super::plan::rows;
use super::time::{instant, micros};
use crate::core::error::Fault;
use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::spi::SpiClient;

/// An owner as it is known here.
#[derive(Clone, Debug)]
pub struct Owner {
    /// Its name.
    pub owner: String,
    /// What it ends with.
    pub parent: Option<String>,
    /// Its end; `None` is never.
    pub ends_at: Option<i64>,
    /// The store's revision of this.
    pub revision: i64,
    /// True once it has ended, for ever.
    pub ended: bool,
}

macro_rules! columns {
    () => {
        "owner, parent, coalesce(ended_at, ends_at), revision, ended"
    };
}

/// Each by its key, in the order given: a plan for many at once would read all owners of the scope while statistics know
/// of few.
const HOLD: &str = concat!(
    "select o.* from unnest($2::text[]) as n (name)
          cross join lateral (select ",
    columns!(),
    " from leasehold.owners where scope = $1 and owner = n.name offset 0 for key share) o"
);
const PARENTS: &str = "select o.parent from unnest($2::text[]) as n (name)
          cross join lateral (
             select parent from leasehold.owners where scope = $1 and owner = n.name offset 0) o
          where o.parent is not null";
const LOCK: &str = concat!(
    "select ",
    columns!(),
    " from leasehold.owners where scope = $1 and owner = $2 for update"
);
const LOCK_SCOPE: &str = "select from leasehold.scopes s where s.scope = $1 for no key update";
const LOCK_SQL: &str =
    "select from leasehold.acl_locks k where k.class = 'owners' for no key update";
const INSERT: &str =
    "insert into leasehold.owners (scope, owner, parent, ends_at, revision, ended, ended_at)
         values ($1, $2, $3, $4, $5, $6, case when $6 then $7::timestamptz end)
         on conflict (scope, owner) do nothing returning true";
const UPDATE: &str = "update leasehold.owners
            set parent = $3, ends_at = $4, revision = $5, ended = $6, ended_at = case when $6 then $7::timestamptz end,
                spread_due = spread_due or $8
          where scope = $1 and owner = $2";

/// The owners of these names that are known; none of them can be ended or shortened before this transaction ends.
/// Locked in this order: it should be from the top of a chain down, as an end spreads.
pub fn hold(db: &mut SpiClient<'_>, scope: &str, names: &[&str]) -> Result<Vec<Owner>, Fault> {
    read(rows(db, HOLD, &[scope.into(), names.to_vec().into()])?)
}

/// Nobody else of the scope names a parent that is not known, before this transaction ends. A row, not the table: ends, and whoever
/// belongs to another scope, do not wait for it.
pub fn lock_unknown_parents(db: &mut SpiClient<'_>, scope: &str) -> Result<(), Fault> {
    if rows(db, LOCK_SCOPE, &[scope.into()])?.is_empty() {
        // What people issue by hand has no row of its own.
        rows(db, LOCK_SQL, &[])?;
    }
    Ok(())
}

/// What owners of these names end with, those that are known and end with something; nothing is held.
pub fn parents(
    db: &mut SpiClient<'_>,
    scope: &str,
    names: &[String],
) -> Result<Vec<String>, Fault> {
    rows(db, PARENTS, &[scope.into(), names.to_vec().into()])?
        .map(|row| Ok(row.get(1)?.unwrap_or_default()))
        .collect()
}

/// The owner of that name, ours alone until the transaction ends.
pub fn lock(db: &mut SpiClient<'_>, scope: &str, owner: &str) -> Result<Option<Owner>, Fault> {
    Ok(read(rows(db, LOCK, &[scope.into(), owner.into()])?)?.pop())
}

/// Writes an owner that is not known yet; false if another transaction did so first.
pub fn insert(db: &mut SpiClient<'_>, scope: &str, new: &Owner, now: i64) -> Result<bool, Fault> {
    Ok(!rows(db, INSERT, &values(scope, new, now))?.is_empty())
}

/// Writes what is known of an owner whose row is locked. `earlier` says that leases under it may have to end earlier.
pub fn update(
    db: &mut SpiClient<'_>,
    scope: &str,
    new: &Owner,
    now: i64,
    earlier: bool,
) -> Result<(), Fault> {
    let mut args = Vec::from(values(scope, new, now));
    args.push(earlier.into());
    rows(db, UPDATE, &args).map(|_| ())
}

fn values<'a>(scope: &'a str, new: &'a Owner, now: i64) -> [DatumWithOid<'a>; 7] {
    [
        scope.into(),
        new.owner.as_str().into(),
        new.parent.as_deref().into(),
        new.ends_at.map(instant).into(),
        new.revision.into(),
        new.ended.into(),
        instant(now).into(),
    ]
}

fn read(table: pgrx::spi::SpiTupleTable<'_>) -> Result<Vec<Owner>, Fault> {
    table
        .map(|row| {
            Ok(Owner {
                owner: row.get(1)?.unwrap_or_default(),
                parent: row.get(2)?,
                ends_at: row.get::<TimestampWithTimeZone>(3)?.map(micros),
                revision: row.get(4)?.unwrap_or_default(),
                ended: row.get(5)?.unwrap_or_default(),
            })
        })
        .collect()
}
