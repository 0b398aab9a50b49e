//! Statements that are parsed and planned once in a session and kept.

use crate::core::error::Fault;
use crate::ffi::planner;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::PgOid;
use pgrx::spi::{OwnedPreparedStatement, SpiClient, SpiError, SpiTupleTable};
use std::cell::OnceCell;
use std::thread::LocalKey;

/// A statement and, after its first use, its plan. Keep it in a `thread_local!`: a backend has one thread.
/// Every name in the text is qualified; PostgreSQL plans it anew by itself when a table changes.
pub struct Plan {
    text: &'static str,
    kept: OnceCell<OwnedPreparedStatement>,
}

impl Plan {
    /// A statement whose parameters take their types from the first arguments it is run with.
    pub const fn new(text: &'static str) -> Self {
        Self {
            text,
            kept: OnceCell::new(),
        }
    }

    fn run<'conn>(
        &self,
        db: &mut SpiClient<'conn>,
        args: &[DatumWithOid<'_>],
    ) -> Result<SpiTupleTable<'conn>, SpiError> {
        let kept = match self.kept.get() {
            Some(kept) => kept,
            None => {
                let types: Vec<PgOid> = args.iter().map(|arg| PgOid::from(arg.oid())).collect();
                let kept = db.prepare_mut(self.text, &types)?.keep();
                self.kept.get_or_init(|| kept)
            }
        };
        let _by_index = planner::by_index();
        db.update(kept, None, args)
    }
}

/// Runs `plan` with a snapshot of this very moment and hands its rows to the caller. The transaction counts as one
/// that writes from here on.
pub fn rows<'conn>(
    db: &mut SpiClient<'conn>,
    plan: &'static LocalKey<Plan>,
    args: &[DatumWithOid<'_>],
) -> Result<SpiTupleTable<'conn>, Fault> {
    plan.with(|plan| plan.run(db, args)).map_err(Fault::from)
}

impl From<SpiError> for Fault {
    fn from(error: SpiError) -> Self {
        Self::Internal(format!("reading leasehold's tables: {error}"))
    }
}
