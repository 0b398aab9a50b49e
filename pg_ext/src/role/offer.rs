//! A superuser's word that a role may hand out a group, without the ADMIN OPTION that would let it do more.

use crate::catalog::offers;
use crate::core::error::Fault;
use crate::ffi::identity;
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiClient;

/// Lets recipes defined by `to_role` (or by members of it) make logins that are members of `group`.
pub fn offer(db: &mut SpiClient<'_>, caller: Oid, group: &str, to_role: &str) -> Result<(), Fault> {
    only_superusers(caller)?;
    let existing = |name: &str| {
        identity::find(name).ok_or_else(|| {
            Fault::argument(
                format!("there is no role \"{name}\""),
                "Check the spelling, or create it first.",
            )
        })
    };
    let by = identity::name_of(caller).unwrap_or_default();
    offers::add(
        db,
        (existing(group)?, group),
        (existing(to_role)?, to_role),
        &by,
    )
}

/// Takes that back; false if it was never said. Logins that exist keep what they have.
pub fn withdraw(
    db: &mut SpiClient<'_>,
    caller: Oid,
    group: &str,
    from_role: &str,
) -> Result<bool, Fault> {
    only_superusers(caller)?;
    offers::remove(db, group, from_role)
}

fn only_superusers(caller: Oid) -> Result<(), Fault> {
    if identity::is_superuser(caller) {
        return Ok(());
    }
    Err(Fault::NotSuperuser {
        what: "offer a group or take the offer back",
    })
}
