//! `register_scope`.

use super::args::{need, verb};
use crate::ffi::xact;
use pgrx::pg_extern;
use pgrx::pg_sys::panic::ErrorReport;

#[pg_extern(sql = false)]
fn register_scope(scope: Option<&str>, key: Option<&str>) -> Result<(), ErrorReport> {
    verb(|db, caller| {
        xact::refuse_prepare();
        caller.register(db, need("scope", scope)?, need("key", key)?)
    })
}
