//! What a fresh login can really do, looked up in the transaction that made it: whatever the statements were, and
//! whoever's functions they called, the result is what counts.

use crate::core::error::Fault;
use crate::core::power::is_dangerous;
use crate::ffi::{identity, inval, membership};
use pgrx::pg_sys::Oid;

/// Refuses a login that has a power no lease should give: an attribute such as SUPERUSER, or a dangerous
/// predefined role, of its own or through any chain of memberships. A superuser's recipe may give what it likes.
pub fn audit(login: Oid, superuser_recipe: bool) -> Result<(), Fault> {
    if superuser_recipe {
        return Ok(());
    }
    inval::see_own_changes();
    match find_power(login) {
        Some((power, role)) => Err(refusal(&power, role == login, role)),
        None => Ok(()),
    }
}

/// The first power that no lease should give which `role` has, of its own or through memberships, and the role that
/// it has it from.
pub fn find_power(role: Oid) -> Option<(String, Oid)> {
    let mut seen = vec![role];
    let mut next = 0;
    while let Some(&role) = seen.get(next) {
        next += 1;
        if let Some(power) = power_of(role) {
            return Some((power, role));
        }
        for group in membership::granted_to(role) {
            if !seen.contains(&group) {
                seen.push(group);
            }
        }
    }
    None
}

fn power_of(role: Oid) -> Option<String> {
    if let Some(word) = membership::attributes(role)?.power() {
        return Some(word.to_owned());
    }
    let name = identity::name_of(role)?;
    is_dangerous(&name).then_some(name)
}

fn refusal(power: &str, own: bool, role: Oid) -> Fault {
    let name = identity::name_of(role).unwrap_or_else(|| role.to_u32().to_string());
    let what = if own {
        format!("the new login would have {power}")
    } else if name == power {
        format!("the new login would be a member of {power}")
    } else {
        format!("the new login would have {power} through role \"{name}\"")
    };
    Fault::MayNot {
        what,
        cure:
            "Only a superuser's role may hand that out: let a superuser define it, or leave it out."
                .to_owned(),
    }
}
