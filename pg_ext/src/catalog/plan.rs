//! Statements that are parsed and planned once in a session and kept: constant texts, found again by where they lie.

use crate::core::error::Fault;
use crate::ffi::planner;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::PgOid;
use pgrx::spi::{OwnedPreparedStatement, SpiClient, SpiError, SpiTupleTable};
use std::cell::RefCell;
use std::collections::HashMap;

/// Address and length of a text: constants lie still.
type Place = (usize, usize);

thread_local! {
    /// As long as the session: there are as many as there are texts in this source. A backend has one thread.
    static KEPT: RefCell<HashMap<Place, &'static OwnedPreparedStatement>> = RefCell::default();
}

/// The plan of a text whose parameters have the types that these arguments have. Every name in the text is qualified;
/// PostgreSQL plans it anew by itself when a table changes.
pub(super) fn kept(
    db: &SpiClient<'_>,
    text: &'static str,
    args: &[DatumWithOid<'_>],
) -> Result<&'static OwnedPreparedStatement, SpiError> {
    let place = (text.as_ptr().addr(), text.len());
    if let Some(kept) = KEPT.with_borrow(|kept| kept.get(&place).copied()) {
        return Ok(kept);
    }
    let types: Vec<PgOid> = args.iter().map(|arg| PgOid::from(arg.oid())).collect();
    let made = Box::leak(Box::new(db.prepare(text, &types)?.keep()));
    KEPT.with_borrow_mut(|kept| kept.insert(place, made));
    Ok(made)
}

/// Runs a statement with a snapshot of this very moment and hands its rows to the caller. The transaction counts as one
/// that writes from here on.
pub fn rows<'conn>(
    db: &mut SpiClient<'conn>,
    text: &'static str,
    args: &[DatumWithOid<'_>],
) -> Result<SpiTupleTable<'conn>, Fault> {
    let kept = kept(db, text, args)?;
    let _by_index = planner::by_index();
    Ok(db.update(kept, None, args)?)
}

impl From<SpiError> for Fault {
    fn from(error: SpiError) -> Self {
        Self::Internal(format!("reading leasehold's tables: {error}"))
    }
}
