//! Ending sessions.

use crate::ffi::{backends, databases};
use pgrx::pg_sys::Oid;
use std::collections::HashMap;

/// Ends the sessions that these logins have now.
pub fn end_those_of(logins: &[Oid]) {
    if logins.is_empty() {
        return;
    }
    for backend in backends::others(|user| logins.contains(&user)) {
        backends::terminate(backend);
    }
}

/// Ends backends whose user no longer exists. A login is checked before its backend can be seen, so a drop can miss a
/// backend that is just starting; such a session would live for ever, and nothing else looks for it. Inside a
/// transaction; it needs no database.
pub fn end_those_without_user() {
    let mut exists = HashMap::new();
    let orphaned = |user| {
        !*exists
            .entry(user)
            .or_insert_with(|| databases::role_exists(user))
    };
    for backend in backends::others(orphaned) {
        if backends::terminate(backend) {
            pgrx::log!("ended backend {}, whose user no longer exists", backend.pid);
        }
    }
}
