//! Locks against `tuple concurrently updated`: two `GRANT`s on one table rewrite the same catalog row, and the
//! second fails. Whoever rewrites access lists therefore takes rows of `leasehold.acl_locks` first, always in the
//! same order, and keeps them until commit. Rows of our own table, because anybody may hold an advisory lock.

use super::{Locks, Step, retry};
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

/// Takes the locks that `steps` need, before the first of them runs and held until the transaction ends. Call it
/// late: others wait. Membership recipes take none.
pub fn hold_locks(steps: &[Step]) -> Result<(), Fault> {
    match reach(steps) {
        Reach::Classes(classes) if classes.is_empty() => Ok(()),
        reach => retry::until_done(|| take(reach.clone()), || ()),
    }
}

/// Takes the locks for removing grants of a login in this database; a database without the extension has none.
pub fn hold_all_locks() -> Result<(), Fault> {
    if acl::locks_exist() {
        take(Reach::Everything)
    } else {
        Ok(())
    }
}

/// Takes the rows of `reach`, waiting for their holders.
pub(super) fn take(reach: Reach) -> Result<(), Fault> {
    match reach {
        Reach::Classes(classes) => acl::lock(Some(classes.into_iter().map(row).collect()))?,
        Reach::Everything => acl::lock(None)?,
    }
    // The holder before us has committed: see its catalog rows, not our cached ones.
    inval::accept();
    Ok(())
}

fn reach(steps: &[Step]) -> Reach {
    let mut classes = Vec::new();
    for step in steps {
        if let Step::AsDefiner(statement) | Step::AlterLoginSet(statement) = step {
            match statement.locks {
                _ if Collisions::known(statement.origin) => return Reach::Everything,
                Locks::All => return Reach::Everything,
                Locks::Class(class) if !classes.contains(&class) => classes.push(class),
                Locks::Class(_) | Locks::None => {}
            }
        }
    }
    Reach::Classes(classes)
}

/// The row of `leasehold.acl_locks` for a class.
fn row(class: Class) -> &'static str {
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

    pub(super) fn remember(origin: u64) {
        COLLIDED.with_borrow_mut(|seen| {
            if seen.len() >= Self::MAX {
                seen.clear();
            }
            seen.insert(origin);
        });
    }

    fn known(origin: u64) -> bool {
        COLLIDED.with_borrow(|seen| seen.contains(&origin))
    }
}
