//! Renew: another end for a lease that lives.

use super::scope::Caller;
use super::{issue, owner};
use crate::catalog::leases::{self, Lease};
use crate::catalog::recipes::Recipe;
use crate::catalog::{logins, outbox};
use crate::core::error::{Fault, SqlState};
use crate::core::instant;
use crate::core::ttl::{self, Ends, Wish};
use crate::ffi::{clock, durable, identity, latch, login, xact};
use crate::role::statements::{self, Kind, Step, Values};
use crate::role::{audit, rights};
use crate::worker::wake;
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiClient;

/// What the caller gets.
pub struct Renewed {
    /// The new end.
    pub ends: Ends,
    /// When that was said.
    pub at: i64,
}

/// Gives the lease of that id a new end.
pub fn renew(
    db: &mut SpiClient<'_>,
    caller: &Caller,
    lease_id: &str,
    wish: Wish,
    digest: Option<&str>,
    scope: Option<&str>,
) -> Result<Renewed, Fault> {
    let reach = caller.reach(db, scope)?;
    let lease = the_one(leases::lock(db, &reach, lease_id)?, lease_id)?;
    durable::ensure();
    xact::refuse_prepare();
    let now = clock::wall();
    if !lease.active || lease.due_at <= now && lease.expires_at <= now {
        return Err(ended(lease_id));
    }
    let owners_end = match &lease.owner {
        Some(owner) => owner::earliest_end(db, &lease.scope, owner, now)?,
        None => None,
    };
    if lease.due_at <= now && owners_end.is_none_or(|end| end <= now) {
        return Err(ended(lease_id));
    }
    let recipe = issue::find(db, &lease.scope, &lease.role, digest)?;
    let ends = ttl::renew(
        now,
        lease.issued_at,
        recipe.terms.rules(),
        wish,
        lease.cap_at,
    )?;
    if let (Some(name), Some(login)) = (&lease.login, lease.login_oid) {
        hold_login(db, name, login)?;
        run_statements(db, &recipe, name, &ends)?;
        if !login::extend(login, ends.expires_at) {
            return Err(ended(lease_id));
        }
        audit::audit(login, identity::is_superuser(recipe.definer.1))?;
    }
    let due_at = owners_end.map_or(ends.expires_at, |end| end.min(ends.expires_at));
    leases::renew(
        db,
        lease.number,
        ends.expires_at,
        ends.max_expires_at,
        due_at,
    )?;
    outbox::renewed(db, &lease.scope, lease.number, lease_id, ends.expires_at)?;
    wake::at_commit(due_at);
    Ok(Renewed { ends, at: now })
}

/// Locks the login's own row. The login can hold it (with `ALTER ROLE` of its own in a transaction it leaves open), and a
/// renewal that waited for it would hold the lease and its caller for as long.
fn hold_login(db: &mut SpiClient<'_>, name: &str, login: Oid) -> Result<(), Fault> {
    const PATIENCE_MS: u64 = 2_000;
    let began = clock::monotonic_ms();
    while !logins::lock(db, login)? {
        if identity::name_of(login).is_none() {
            // Nothing to lock; whoever writes next notices.
            return Ok(());
        }
        if clock::monotonic_ms() - began > PATIENCE_MS {
            return Err(Fault::Held {
                login: name.to_owned(),
            });
        }
        latch::wait(20);
    }
    Ok(())
}

/// The one lease that was found.
fn the_one(mut found: Vec<Lease>, lease_id: &str) -> Result<Lease, Fault> {
    if found.len() > 1 {
        return Err(Fault::argument(
            format!("lease \"{lease_id}\" exists in several scopes"),
            "Say which scope is meant.",
        ));
    }
    found.pop().ok_or_else(|| ended(lease_id))
}

fn run_statements(
    db: &mut SpiClient<'_>,
    recipe: &Recipe,
    name: &str,
    ends: &Ends,
) -> Result<(), Fault> {
    if recipe.terms.renewal.is_empty() {
        return Ok(());
    }
    let definer = rights::definer(&recipe.definer)?;
    let expiration = instant::text(ends.expires_at);
    let values = Values {
        name,
        verifier: None,
        expiration: Some(&expiration),
    };
    let steps = statements::plan(Kind::Renewal, &recipe.terms.renewal, &values)?;
    for step in &steps {
        if let Step::GrantGroups(groups) = step {
            for group in groups {
                rights::group(db, definer, group)?;
            }
        }
    }
    statements::together(&steps, || {
        for step in &steps {
            match step {
                Step::GrantGroups(groups) => login::join(name, groups),
                Step::AlterLoginSet(statement) | Step::AsDefiner(statement) => {
                    statements::run(statement, definer, name)?
                }
                Step::CreateLogin(_) => {
                    return Err(Fault::Statement {
                        state: SqlState(*b"42710"),
                        what: format!(
                            "the renewal statements of role \"{}\" create the login anew",
                            recipe.name
                        ),
                        cure: Some("A renewal may alter the login, not make it.".into()),
                    });
                }
            }
        }
        Ok(())
    })
}

fn ended(lease_id: &str) -> Fault {
    Fault::Ended {
        lease_id: lease_id.to_owned(),
    }
}
