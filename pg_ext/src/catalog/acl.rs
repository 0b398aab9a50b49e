//! Access lists: the rows that are locked before one is rewritten, and which one is full. The search path may be
//! the caller's, so every name in these texts is qualified, operators and types included.

use super::plan;
use crate::core::error::Fault;
use crate::ffi::identity;
use pgrx::Spi;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::Oid;
use pgrx::pg_sys::panic::ErrorReportable;

const LOCK: &str = "select from leasehold.acl_locks
              where class operator(pg_catalog.=) any ($1)
              order by class for update";

/// Locks the rows of `leasehold.acl_locks` named, always in the order of their names, until the transaction ends.
pub fn lock(classes: Vec<&'static str>) -> Result<(), Fault> {
    identity::as_extension(|| {
        Spi::connect_mut(|db| plan::rows(db, LOCK, &[DatumWithOid::from(classes)]).map(drop))
    })
}

/// The relation, or the column of one, with the longest access list, by its name for people; `None` if none is
/// anywhere near the limit of a page (about 2,440 entries, fewer where entries are long).
pub fn fullest() -> Option<String> {
    let text = "
        select shown from (
            select pg_catalog.format('table %s', c.oid::pg_catalog.regclass) as shown,
                   pg_catalog.array_length(c.relacl, 1) as entries
              from pg_catalog.pg_class c where c.relacl is not null
            union all
            select pg_catalog.format('column %s.%I', a.attrelid::pg_catalog.regclass, a.attname),
                   pg_catalog.array_length(a.attacl, 1)
              from pg_catalog.pg_attribute a where a.attacl is not null) lists
         where entries operator(pg_catalog.>) 500 order by entries desc limit 1";
    identity::as_extension(|| {
        Spi::connect(|db| {
            db.select(text, Some(1), &[])
                .unwrap_or_report()
                .next()
                .and_then(|row| row.get::<String>(1).unwrap_or_report())
        })
    })
}

/// The tables, views and the like of `schemas`, or their sequences: what `ON ALL TABLES` and `ON ALL SEQUENCES`
/// are about.
pub fn relations(schemas: &[Oid], sequences: bool) -> Vec<Oid> {
    let text = "
        select oid from pg_catalog.pg_class
         where relnamespace operator(pg_catalog.=) any ($1)
           and pg_catalog.strpos($2, relkind::pg_catalog.text) operator(pg_catalog.>) 0";
    let kinds = if sequences { "S" } else { "rvmfp" };
    oids(
        text,
        &[
            DatumWithOid::from(schemas.to_vec()),
            DatumWithOid::from(kinds),
        ],
    )
}

/// The functions and procedures of `schemas`.
pub fn routines(schemas: &[Oid]) -> Vec<Oid> {
    let text =
        "select oid from pg_catalog.pg_proc where pronamespace operator(pg_catalog.=) any ($1)";
    oids(text, &[DatumWithOid::from(schemas.to_vec())])
}

/// An object's name for people.
pub fn describe(catalog: Oid, oid: Oid) -> String {
    let text = "select pg_catalog.pg_describe_object($1, $2, 0)";
    Spi::get_one_with_args::<String>(
        text,
        &[DatumWithOid::from(catalog), DatumWithOid::from(oid)],
    )
    .unwrap_or_report()
    .unwrap_or_else(|| oid.to_u32().to_string())
}

fn oids(text: &str, values: &[DatumWithOid]) -> Vec<Oid> {
    Spi::connect_mut(|client| {
        client
            .update(text, None, values)
            .unwrap_or_report()
            .filter_map(|row| row.get::<Oid>(1).unwrap_or_report())
            .collect()
    })
}
