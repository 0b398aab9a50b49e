//! Runs a statement as whoever defined the recipe.

use super::locks::{self, Collisions, Reach};
use super::retry::{self, report};
use super::{Statement, StatementError, effect};
use crate::catalog::acl;
use crate::core::error::Fault;
use crate::ffi::{identity, utility};
use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::{
    self,
    panic::{CaughtError, ErrorReport, ErrorReportWithLevel},
};
use std::cell::Cell;

/// Runs one step's statement with the rights of `definer`, about the login `name`. An error that the statement
/// meets is raised as PostgreSQL raised it, without the verifier; ours come back as a value. Either way everything
/// the statement did is undone and the caller's transaction must end.
pub fn run(statement: &Statement, definer: pg_sys::Oid, name: &str) -> Result<(), Fault> {
    let actor = actor(statement, definer, name);
    let collided = Cell::new(false);
    let work = || {
        if collided.get() {
            locks::take(Reach::Everything)?;
        }
        let missing = identity::as_definer(actor, statement.restricted, || {
            utility::pin();
            for setting in statement.settings.iter() {
                utility::execute(setting);
            }
            utility::execute(&statement.text);
            effect::missing(statement, definer, name)
        });
        missing.map_or(Ok(()), |missing| Err(missing.into()))
    };
    let again = || {
        collided.set(true);
        Collisions::remember(statement.origin);
    };
    retry::until_settled(work, again).unwrap_or_else(|error| Err(explain(error, statement).into()))
}

/// Whose rights count. A definer without CREATEROLE may not alter any role, but what `ALTER ROLE … SET` of the login
/// would set, the login may set for itself at any time: so that is done with the login's own rights.
fn actor(statement: &Statement, definer: pg_sys::Oid, name: &str) -> pg_sys::Oid {
    if statement.restricted || identity::is_superuser(definer) {
        return definer;
    }
    identity::find(name).unwrap_or(definer)
}

/// How PostgreSQL says that the restricted context forbids something.
const RESTRICTED: [&str; 2] = [
    "within security-restricted operation",
    "within security-definer function",
];

/// Our own error where we know better, else raises PostgreSQL's again.
fn explain(error: CaughtError, statement: &Statement) -> StatementError {
    let Some(found) = report(&error) else {
        error.rethrow()
    };
    let code = found.sql_error_code();
    if code == PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED
        && found.message().starts_with("row is too big")
        && let Some(object) = acl::fullest()
    {
        return StatementError::AccessListFull { object };
    }
    if code == PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE
        && RESTRICTED
            .iter()
            .any(|words| found.message().contains(words))
    {
        return StatementError::Restricted {
            message: found.message().to_owned(),
        };
    }
    if code == PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION
        && let Some(what) = found
            .message()
            .strip_suffix(" cannot be executed from a function")
    {
        raise(found, |_| {
            format!("{what} cannot run inside a transaction block")
        });
    }
    if let Some(secret) = statement.secret.as_deref()
        && [Some(found.message()), found.detail(), found.hint()]
            .into_iter()
            .flatten()
            .any(|shown| shown.contains(secret))
    {
        raise(found, |shown| shown.replace(secret, "***"));
    }
    error.rethrow()
}

/// Raises `found` again in other words.
fn raise(found: &ErrorReportWithLevel, words: impl Fn(&str) -> String) -> ! {
    let mut report = ErrorReport::new(found.sql_error_code(), words(found.message()), "run");
    if let Some(detail) = found.detail() {
        report = report.set_detail(words(detail));
    }
    if let Some(hint) = found.hint() {
        report = report.set_hint(words(hint));
    }
    report.report(pgrx::PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}
