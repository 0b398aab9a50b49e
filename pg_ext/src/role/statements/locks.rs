//! Locks against `tuple concurrently updated`: two `GRANT`s on one table rewrite the same catalog row, and the
//! second fails. Whoever rewrites access lists therefore takes rows of `leasehold.acl_locks` first, always in the
//! same order, and keeps them until commit. Rows of our own table, because anybody may hold an advisory lock.

use super::{Locks, Statement};
use crate::catalog::acl;
use crate::core::error::Fault;
use crate::ffi::{inval, parser::Class};
use std::cell::RefCell;
use std::collections::HashSet;

/// Which access lists are about to be rewritten.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Those of these classes.
    Classes(Vec<Class>),
    /// Any.
    Everything,
}

/// Takes the locks for removing grants of a login in this database, which must have the extension.
pub fn hold_all_locks() -> Result<(), Fault> {
    take(&Reach::Everything)
}

/// Takes the rows of `reach`, waiting for their holders; they are held until the transaction ends or is undone to
/// before this.
pub(super) fn take(reach: &Reach) -> Result<(), Fault> {
    match reach {
        Reach::Classes(classes) if classes.is_empty() => return Ok(()),
        Reach::Classes(classes) => acl::lock(classes.iter().copied().map(row).collect())?,
        Reach::Everything => acl::lock(ALL.to_vec())?,
    }
    // The holder before us has committed: see its catalog rows, not our cached ones.
    inval::accept();
    Ok(())
}

/// What `statements` are known or seen to rewrite.
pub(super) fn reach(statements: &[&Statement]) -> Reach {
    let mut classes = Vec::new();
    for statement in statements {
        match statement.locks {
            _ if Collisions::known(statement) => return Reach::Everything,
            Locks::All => return Reach::Everything,
            Locks::Class(class) if !classes.contains(&class) => classes.push(class),
            Locks::Class(_) | Locks::None => {}
        }
    }
    Reach::Classes(classes)
}

/// The rows of `leasehold.acl_locks` for all classes. The table has one more, of owners, which is nothing to us.
const ALL: [&str; 6] = [
    row(Class::Database),
    row(Class::Relation),
    row(Class::Rest),
    row(Class::Routine),
    row(Class::Schema),
    row(Class::Type),
];

/// The row of `leasehold.acl_locks` for a class.
const fn row(class: Class) -> &'static str {
    match class {
        Class::Database => "database",
        Class::Relation => "relation",
        Class::Rest => "rest",
        Class::Routine => "routine",
        Class::Schema => "schema",
        Class::Type => "type",
    }
}

/// Texts that have collided in this backend although nothing in them looked like a `GRANT` (a DO block, a function
/// that grants): from then on they take all locks at once.
pub(super) struct Collisions;

thread_local! {
    static COLLIDED: RefCell<HashSet<u64>> = RefCell::default();
}

impl Collisions {
    /// More are not remembered; forgetting only costs a retry.
    const MAX: usize = 4096;

    pub(super) fn remember(statements: &[&Statement]) {
        COLLIDED.with_borrow_mut(|seen| {
            if seen.len() >= Self::MAX {
                seen.clear();
            }
            seen.extend(statements.iter().map(|statement| statement.origin));
        });
    }

    fn known(statement: &Statement) -> bool {
        COLLIDED.with_borrow(|seen| seen.contains(&statement.origin))
    }
}
