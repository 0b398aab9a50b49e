//! Cleaning: everything in one database that depends on a login is removed, but for what may hold people's data.
//!
//! The database may belong to an adversary. Objects are named by OID and removed below the statements, so that no
//! event trigger runs; nothing here evaluates an expression of a user, and no user relation is read.

use crate::catalog::dependents::{self, Kind};
use crate::ffi::{acl, databases, identity, owned};
use crate::role::{audit, statements};
use pgrx::pg_sys;

/// What may be done with the things that a login owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estate {
    /// They stay, and with them the fenced login.
    Keep,
    /// They go to this role.
    Reassign(pg_sys::Oid),
    /// They are dropped.
    Drop,
}

impl Estate {
    /// What a recipe says: an heir, or that all is to be dropped, or nothing.
    pub fn of(reassign_to: Option<pg_sys::Oid>, drop_owned: bool) -> Self {
        match (reassign_to, drop_owned) {
            (Some(heir), _) => Self::Reassign(heir),
            (None, true) => Self::Drop,
            (None, false) => Self::Keep,
        }
    }
}

/// How many owned things a reason names.
const NAMED_MAX: usize = 5;

/// Cleans this database of `login`, and the cluster's shared objects where `shared` is asked for. Inside a transaction
/// of its own. The error is a reason for people.
pub fn clean(login: pg_sys::Oid, estate: Estate, shared: bool) -> Result<(), String> {
    let all = dependents::of(login, shared);
    // At home an issue may be rewriting the same access lists; elsewhere nobody knows of these locks, and a
    // table of their name would be a stranger's.
    if shared && databases::has_extension() && all.iter().any(|each| each.kind == Kind::Granted) {
        statements::hold_all_locks().map_err(|fault| fault.to_string())?;
    }
    for each in all {
        let entry = each.entry;
        match each.kind {
            Kind::Granted => acl::strip(entry, login),
            Kind::Policy => owned::leave_policy(entry.object, login),
            Kind::Trifle => owned::delete(entry.class, entry.object),
            Kind::Owned | Kind::Other => {}
        }
    }
    match estate {
        Estate::Keep => {}
        Estate::Drop => owned::drop_owned(login, &dependents::casts(login)),
        Estate::Reassign(heir) => {
            let Some(name) = identity::name_of(heir) else {
                return Err(format!(
                    "what it owns was to go to role {heir}, which no longer exists"
                ));
            };
            // It may have come to power since the lease was issued.
            if let Some((power, _)) = audit::find_power(heir) {
                return Err(format!(
                    "what it owns was to go to role \"{name}\", which has {power}: code of the login would run with that"
                ));
            }
            owned::reassign_owned(login, heir);
        }
    }
    let left = dependents::of(login, shared);
    if left.is_empty() {
        return Ok(());
    }
    let mut names: Vec<String> = left
        .iter()
        .take(NAMED_MAX)
        .filter_map(|each| owned::describe(each.entry.class, each.entry.object, each.entry.column))
        .collect();
    if left.len() > NAMED_MAX {
        names.push(format!("{} more", left.len() - NAMED_MAX));
    }
    Err(format!(
        "it owns {}: give that away (reassign owned by … to …) or drop it (drop owned by …) there",
        names.join(", ")
    ))
}
