//! The trigger that keeps others from our rows. In C, as it runs with every statement that writes them.

use crate::ffi::identity;
use pgrx::heap_tuple::PgHeapTuple;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{
    AllocatedByPostgres, PgLogLevel, PgSqlErrorCode, PgTrigger, PgTriggerError, pg_trigger,
};

/// Refuses whoever is neither the owner of the table nor a superuser. For statements: there is no row.
#[pg_trigger(sql = false)]
fn refuse_others<'a>(
    trigger: &'a PgTrigger<'a>,
) -> Result<Option<PgHeapTuple<'a, AllocatedByPostgres>>, PgTriggerError> {
    if !identity::owns_table(trigger.relid()?) {
        let table = trigger.table_name()?;
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("leasehold.{table} is written by its own functions only"),
            "refuse_others",
        )
        .set_hint("Call the functions of the schema leasehold.")
        .report(PgLogLevel::ERROR);
    }
    Ok(None)
}
