//! Statement texts of a recipe: checked when defined, planned and run when used.
//!
//! The way of a text: [`plan`] writes the values into it ([`crate::core::template`]), lets PostgreSQL's own parser
//! cut and read the result, and sorts each statement into a [`Step`]; whoever issues works the steps off in order,
//! doing [`Step::CreateLogin`] and [`Step::GrantGroups`] itself and giving the others to [`run`]. Nothing here
//! decides whether a group may be handed out, and nothing here creates, arms or drops a login.
//!
//! Whoever works off steps does so inside [`together`], audits the login after it, and writes password and
//! `VALID UNTIL` after it, for a statement run by PostgreSQL may have set its own.

mod classify;
mod effect;
mod error;
pub mod lint;
mod locks;
mod plan;
mod run;
pub mod share;
mod together;

use crate::ffi::parser::Class;
use std::rc::Rc;

pub use crate::core::template::Values;
pub use error::StatementError;
pub use locks::hold_all_locks;
pub use plan::{check, plan};
pub use run::run;
pub use together::together;

/// What a text is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Makes the login.
    Creation,
    /// Runs when the lease is renewed.
    Renewal,
    /// Runs when the lease ends, after the login has been fenced.
    Revocation,
}

/// One statement of a text, and whose work it is.
#[derive(Debug)]
pub enum Step {
    /// `CREATE ROLE` or `CREATE USER` of the login with harmless options: the extension's own work.
    CreateLogin(LoginOptions),
    /// `GRANT group, … TO` the login: the extension's own work, under the same check as `member_of`.
    GrantGroups(Vec<String>),
    /// `ALTER ROLE` of the login `SET …`: for [`run`], as a definer who is a superuser, else as the login itself;
    /// outside the restricted context.
    AlterLoginSet(Statement),
    /// Everything else: for [`run`], as the definer, in the restricted context.
    AsDefiner(Statement),
}

impl Step {
    /// The statement that PostgreSQL runs; `None` for the extension's own work.
    fn statement(&self) -> Option<&Statement> {
        match self {
            Step::AlterLoginSet(statement) | Step::AsDefiner(statement) => Some(statement),
            Step::CreateLogin(_) | Step::GrantGroups(_) => None,
        }
    }
}

/// What a text asks for its login. Password and `VALID UNTIL` are not here: the extension writes its own.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LoginOptions {
    /// May it log in? `CREATE ROLE` says no unless told otherwise, `CREATE USER` yes.
    pub login: bool,
    /// `[NO]INHERIT`, if the text says so.
    pub inherit: Option<bool>,
    /// `CONNECTION LIMIT`, if the text says so; -1 is none.
    pub connection_limit: Option<i32>,
    /// `IN ROLE` and `IN GROUP`, under the same check as `member_of`.
    pub in_roles: Vec<String>,
}

/// A statement for [`run`]. Its text may hold a verifier, so it can not be printed.
pub struct Statement {
    /// What PostgreSQL calls it, such as `GRANT` or `DO`.
    pub tag: &'static str,
    text: String,
    /// The `SET`s before it in the same texts, which hold for it too.
    settings: Rc<[String]>,
    restricted: bool,
    locks: Locks,
    /// The same for the same template, whatever the values.
    origin: u64,
    /// What must not show in an error.
    secret: Option<Rc<str>>,
}

/// Which access lists a statement rewrites.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Locks {
    None,
    Class(Class),
    All,
}

impl std::fmt::Debug for Statement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Statement({})", self.tag)
    }
}
