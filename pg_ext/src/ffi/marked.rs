//! Everything of the cluster with a label of ours, read by a process that is in no database.

use super::rows::each_row;
use crate::core::label::{GroupMark, Installation, Mark, PROVIDER};
use pgrx::{FromDatum, pg_sys};
use std::collections::HashSet;

// `pg_shseclabel`, whose fixed OID and columns pgrx does not name.
const SHARED_LABELS: pg_sys::Oid = pg_sys::Oid::from_u32(3592);
const OBJECT: u32 = 1;
const CLASS: u32 = 2;
const PROVIDER_COLUMN: u32 = 3;
const LABEL: u32 = 4;

/// A login with a mark of ours, or the group of a shared recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marked {
    /// The login, or the group.
    pub login: pg_sys::Oid,
    /// Whose it is.
    pub installation: Installation,
    /// The number in its label: of the lease, or of the group.
    pub number: i64,
}

/// Every login and every group of the cluster that carries a mark of ours, whichever installation's. Inside a transaction.
pub fn logins() -> Vec<Marked> {
    let mut found = Vec::new();
    each_label(pg_sys::AuthIdRelationId, |login, label| {
        let of_login = Mark::parse(label).map(|mark| (mark.installation, mark.lease_number));
        let of_group =
            || GroupMark::parse(label).map(|mark| (mark.installation, mark.group_number));
        if let Some((installation, number)) = of_login.or_else(of_group) {
            found.push(Marked {
                login,
                installation,
                number,
            });
        }
    });
    found
}

/// Calls `each` with every object of the catalog `class` that has a label of ours, and that label. Inside a transaction.
pub fn each_label(class: pg_sys::Oid, mut each: impl FnMut(pg_sys::Oid, &str)) {
    each_row(SHARED_LABELS, |row| {
        if row.oid(CLASS) != class {
            return;
        }
        // SAFETY: these columns are texts, which are copied.
        let text = |column| unsafe { String::from_datum(row.column(column)?, false) };
        if text(PROVIDER_COLUMN).as_deref() == Some(PROVIDER)
            && let Some(label) = text(LABEL)
        {
            each(row.oid(OBJECT), &label);
        }
    });
}

/// Those of `roles` that can log in, or could if they were let: they have a password. Inside a transaction.
pub fn armed_among(roles: &HashSet<pg_sys::Oid>) -> HashSet<pg_sys::Oid> {
    let mut armed = HashSet::new();
    if roles.is_empty() {
        return armed;
    }
    each_row(pg_sys::AuthIdRelationId, |row| {
        // SAFETY: a row of pg_authid.
        let role: &pg_sys::FormData_pg_authid = unsafe { row.fixed() };
        // The password is not read, only whether there is one.
        let has_password = || row.column(pg_sys::Anum_pg_authid_rolpassword).is_some();
        if roles.contains(&role.oid) && (role.rolcanlogin || has_password()) {
            armed.insert(role.oid);
        }
    });
    armed
}
