//! Shared grants: a recipe's grants are held by a group of its own, and its logins are members of that.
//!
//! The group always holds exactly what the recipe's statements gave when they were run last, as the definer; they are
//! run again, from nothing, at the first issue after anything has changed that they depend on: the objects they
//! name, what the group holds, the definer's rights. So a login of today has what it would have with grants of its own,
//! in two catalog rows, whatever the number of logins and tables.
//!
//! What has changed is asked in three steps. A backend that has heard of no change to any object since it last looked
//! asks nothing. Else the objects and the group's holdings are read and compared ([`fingerprint`]): no write. Only if
//! they differ, everything is taken from the group and given anew.

use super::statements::{self, Step, share};
use crate::catalog::dependents;
use crate::catalog::recipes::Recipe;
use crate::catalog::shared::{self, Group, Wanted};
use crate::core::digest::Fields;
use crate::core::error::Fault;
use crate::core::label::{GroupMark, Installation};
use crate::ffi::acl as access;
use crate::ffi::login::{self, NewLogin};
use crate::ffi::{databases, group, identity, inval, label, membership};
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiClient;
use std::cell::RefCell;
use std::collections::HashMap;

/// What `grants` says in a recipe that is shared.
pub const SHARED: &str = "shared";

/// When this backend last saw that a group holds what it should.
struct Seen {
    changes: u64,
    rights: [u8; 32],
    fingerprint: Vec<u8>,
}

/// More groups are not remembered; forgetting one costs a look at its objects.
const SEEN_MAX: usize = 1_024;

thread_local! {
    static SEEN: RefCell<HashMap<i64, Seen>> = RefCell::default();
}

/// The name of the group that holds the grants of `recipe`, made and brought up to date if need be. It can not be
/// dropped before this transaction has ended.
pub fn ensure(db: &mut SpiClient<'_>, recipe: &Recipe, definer: Oid) -> Result<String, Fault> {
    let installation = databases::own_installation()?;
    let group = standing(db, recipe, installation)?;
    let changes = inval::changes();
    let rights = rights(definer);
    if let Some(fingerprint) = &group.fingerprint {
        let current = SEEN.with_borrow(|seen| {
            seen.get(&group.number).is_some_and(|seen| {
                seen.changes == changes && seen.rights == rights && seen.fingerprint == *fingerprint
            })
        });
        if current {
            return Ok(group.name);
        }
        let grants = share::grants(&recipe.terms.creation, &group.name)?;
        if fingerprint_of(&grants, definer, &rights, group.oid) == fingerprint.as_slice() {
            remember(group.number, changes, rights, fingerprint);
            return Ok(group.name);
        }
    }
    bring_up_to_date(db, recipe, definer, &rights)?;
    Ok(group.name)
}

fn remember(number: i64, changes: u64, rights: [u8; 32], fingerprint: &[u8]) {
    SEEN.with_borrow_mut(|seen| {
        if seen.len() >= SEEN_MAX {
            seen.clear();
        }
        seen.insert(
            number,
            Seen {
                changes,
                rights,
                fingerprint: fingerprint.to_vec(),
            },
        );
    });
}

/// The recipe's group, held against being dropped; made if there is none.
fn standing(
    db: &mut SpiClient<'_>,
    recipe: &Recipe,
    installation: Installation,
) -> Result<Group, Fault> {
    // A worker may be removing it, and somebody else making it: one round more each.
    for _ in 0..3 {
        let found = shared::find(db, &recipe.digest)?;
        if let Some(found) = found.filter(|found| found.oid != Oid::INVALID) {
            group::hold(found.oid);
            let mark = GroupMark {
                installation,
                group_number: found.number,
            };
            if identity::name_of(found.oid).as_deref() == Some(&found.name)
                && label::read_group(found.oid) == Some(mark)
            {
                return Ok(found);
            }
        }
        make(db, recipe, installation)?;
    }
    Err(Fault::Internal(format!(
        "the group of role \"{}\" comes and goes: try again",
        recipe.name
    )))
}

/// Makes the role of the recipe's group where there is none. After a restore it is there, under another OID.
fn make(db: &mut SpiClient<'_>, recipe: &Recipe, installation: Installation) -> Result<(), Fault> {
    let terms = &recipe.terms;
    let wanted = Wanted {
        recipe: (&recipe.scope, &recipe.name, &recipe.digest),
        reassign_to: terms
            .reassign_to
            .as_ref()
            .map(|(heir, oid)| (heir.as_str(), *oid)),
        drop_owned: terms.drop_owned,
    };
    shared::claim(db, &wanted)?;
    let Some(row) = shared::lock(db, &recipe.digest)? else {
        return Ok(());
    };
    let mark = GroupMark {
        installation,
        group_number: row.number,
    };
    let short: String = installation.to_string().chars().take(8).collect();
    let name = format!("leasehold_shared_{short}_{}", row.number);
    let oid = match identity::find(&name) {
        Some(oid) if label::read_group(oid) == Some(mark) => oid,
        Some(_) => {
            return Err(Fault::MayNot {
                what: format!("role \"{name}\" is not leasehold's"),
                cure: "Rename or drop that role: it has the name of the group that is to hold the recipe's grants."
                    .into(),
            });
        }
        None => {
            let oid = login::create(&NewLogin {
                name: &name,
                login: false,
                inherit: None,
                connection_limit: None,
                groups: &[],
            });
            label::mark_group(oid, mark);
            group::comment(
                oid,
                &format!("leasehold: holds the grants of role \"{}\"", recipe.name),
            );
            oid
        }
    };
    if oid != row.oid {
        shared::name(db, row.number, (&name, oid))?;
    }
    Ok(())
}

/// Takes everything from the group and gives it what the statements give now. One at a time for each group; whoever
/// comes second finds it done.
fn bring_up_to_date(
    db: &mut SpiClient<'_>,
    recipe: &Recipe,
    definer: Oid,
    rights: &[u8; 32],
) -> Result<(), Fault> {
    let Some(row) = shared::lock(db, &recipe.digest)? else {
        return Err(Fault::Internal(
            "the group of a recipe went while it was held".into(),
        ));
    };
    inval::accept();
    let grants = share::grants(&recipe.terms.creation, &row.name)?;
    let fingerprint = || fingerprint_of(&grants, definer, rights, row.oid);
    if row
        .fingerprint
        .is_some_and(|before| before == fingerprint())
    {
        return Ok(());
    }
    statements::together(&grants, || {
        for each in dependents::of(row.oid, true) {
            if each.kind == dependents::Kind::Granted {
                access::strip(each.entry, row.oid);
            }
        }
        share::give(&grants, definer, &row.name)
    })?;
    inval::see_own_changes();
    shared::applied(db, row.number, &fingerprint())
}

/// What the group's grants come from and what they have come to: as long as this stays the same, giving them again would
/// change nothing.
fn fingerprint_of(grants: &[Step], definer: Oid, rights: &[u8; 32], group: Oid) -> [u8; 32] {
    let number = |oid: Oid| Some(i64::from(oid.to_u32()));
    let mut fields = Fields::of("shared grants 1");
    for byte in rights {
        fields = fields.number(Some(i64::from(*byte)));
    }
    for (catalog, object) in share::targets(grants, definer) {
        fields = fields.number(number(catalog)).number(number(object));
    }
    fields.text(Some(&shared::holdings(group))).bytes()
}

/// The definer's rights as far as no access list tells of them: whether it is a superuser, and whose rights it has by
/// memberships. No invalidation that [`inval::changes`] counts tells of these, and they are few.
fn rights(definer: Oid) -> [u8; 32] {
    let mut roles = vec![definer];
    let mut next = 0;
    while let Some(&role) = roles.get(next) {
        next += 1;
        for group in membership::granted_to(role) {
            if !roles.contains(&group) {
                roles.push(group);
            }
        }
    }
    roles.sort_unstable_by_key(|role| role.to_u32());
    let superuser = i64::from(identity::is_superuser(definer));
    roles
        .into_iter()
        .fold(
            Fields::of("rights 1").number(Some(superuser)),
            |fields, role| fields.number(Some(i64::from(role.to_u32()))),
        )
        .bytes()
}
