//! May this role hand out that group? Asked when a recipe is defined and again at each issue, for `member_of`,
//! `IN ROLE` and `GRANT group TO` alike: the extension joins a login to a group with its own rights, so there has to be a
//! right behind it.

use super::audit;
use crate::catalog::offers;
use crate::core::error::Fault;
use crate::ffi::identity;
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiClient;

/// The group's OID if `definer` may hand it out: a superuser, one with ADMIN OPTION on it, or a member of a role that a
/// superuser has offered it to.
pub fn group(db: &mut SpiClient<'_>, definer: Oid, name: &str) -> Result<Oid, Fault> {
    let Some(group) = identity::find(name) else {
        return Err(Fault::argument(
            format!("there is no role \"{name}\" to be a member of"),
            "Create that group first, with NOLOGIN and the grants its members shall have.",
        ));
    };
    if identity::is_superuser(definer) || identity::is_admin(definer, group) {
        return Ok(group);
    }
    for (to, to_name) in offers::of_group(db, group, name)? {
        if identity::name_of(to).as_deref() == Some(&to_name) && identity::is_member(definer, to) {
            return Ok(group);
        }
    }
    let who = identity::name_of(definer).unwrap_or_default();
    Err(Fault::MayNot {
        what: format!("role \"{who}\" may not hand out membership in \"{name}\""),
        cure: format!(
            "A superuser allows it with: select leasehold.offer({}, {}).",
            literal(name),
            literal(&who)
        ),
    })
}

/// The OID of a group that a recipe names, which must still be the same role as when the recipe was defined.
pub fn same_group(
    db: &mut SpiClient<'_>,
    definer: Oid,
    name: &str,
    then: Oid,
) -> Result<(), Fault> {
    if group(db, definer, name)? == then {
        return Ok(());
    }
    Err(Fault::MayNot {
        what: format!("role \"{name}\" is not the one that the recipe was defined with"),
        cure: "It was dropped and made anew: define the recipe again.".into(),
    })
}

/// The definer of a recipe, if it is still the role it was.
pub fn definer(recipe: &(String, Oid)) -> Result<Oid, Fault> {
    if identity::name_of(recipe.1).as_deref() == Some(&recipe.0) {
        return Ok(recipe.1);
    }
    Err(Fault::MayNot {
        what: format!(
            "role \"{}\", who defined the recipe, is not there any more",
            recipe.0
        ),
        cure: "Define the recipe again, as a role whose rights it shall have.".into(),
    })
}

/// The OID of the role that gets what logins leave behind, if `definer` may say so. What a login wrote, functions that
/// run with their owner's rights above all, is the heir's afterwards: so it must be no one whom the definer could not
/// act as already, and no one with a power that leases must not give.
pub fn heir(definer: Oid, name: &str) -> Result<Oid, Fault> {
    let Some(heir) = identity::find(name) else {
        return Err(Fault::argument(
            format!("there is no role \"{name}\" to reassign to"),
            "Create it, without LOGIN and without any special right.",
        ));
    };
    if let Some((power, _)) = audit::find_power(heir) {
        return Err(Fault::MayNot {
            what: format!(
                "role \"{name}\" has {power} and can not be given what logins leave behind"
            ),
            cure: "A function of the login's would run with that: name a role without any power."
                .into(),
        });
    }
    if !identity::is_member(definer, heir) {
        let who = identity::name_of(definer).unwrap_or_default();
        return Err(Fault::MayNot {
            what: format!(
                "role \"{who}\" is no member of \"{name}\" and can not give it what logins leave behind"
            ),
            cure: "Grant the membership, or name a role that the definer is a member of.".into(),
        });
    }
    Ok(heir)
}

/// The same heir again, when a lease is issued.
pub fn same_heir(definer: Oid, named: &(String, Oid)) -> Result<(), Fault> {
    if heir(definer, &named.0)? == named.1 {
        return Ok(());
    }
    Err(Fault::MayNot {
        what: format!(
            "role \"{}\" is not the one that the recipe was defined with",
            named.0
        ),
        cure: "It was dropped and made anew: define the recipe again.".into(),
    })
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
