//! Runs a statement as whoever defined the recipe.

use super::{Statement, effect};
use crate::core::error::Fault;
use crate::ffi::{identity, utility};
use pgrx::pg_sys;

/// Runs one step's statement with the rights of `definer`, about the login `name`. Only inside [`super::together`],
/// which puts rights and settings back after an error and says what it means.
pub fn run(statement: &Statement, definer: pg_sys::Oid, name: &str) -> Result<(), Fault> {
    let actor = actor(statement, definer, name);
    let missing = identity::as_definer(actor, statement.restricted, || {
        utility::pin();
        for setting in statement.settings.iter() {
            utility::execute(setting);
        }
        utility::execute(&statement.text);
        effect::missing(statement, definer, name)
    });
    missing.map_or(Ok(()), |missing| Err(missing.into()))
}

/// Whose rights count. A definer without CREATEROLE may not alter any role, but what `ALTER ROLE … SET` of the login
/// would set, the login may set for itself at any time: so that is done with the login's own rights.
fn actor(statement: &Statement, definer: pg_sys::Oid, name: &str) -> pg_sys::Oid {
    if statement.restricted || identity::is_superuser(definer) {
        return definer;
    }
    identity::find(name).unwrap_or(definer)
}
