//! Renew: another end for leases that live. Those that are asked for together cost one statement a table.

use super::issue;
use super::owner::Held;
use super::scope::Caller;
use crate::catalog::leases::{self, Lease, Moved};
use crate::catalog::logins::{self, Known, Locked};
use crate::catalog::outbox;
use crate::catalog::recipes::Recipe;
use crate::core::error::{Fault, SqlState};
use crate::core::instant;
use crate::core::ttl::{self, Ends, Wish};
use crate::ffi::{clock, databases, durable, identity, latch, login, xact};
use crate::role::statements::{self, Kind, Step, Values};
use crate::role::{audit, rights};
use crate::worker::wake;
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiClient;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// What is asked for one lease.
pub struct Ask<'a> {
    /// The lease's id.
    pub lease_id: &'a str,
    /// How long.
    pub wish: Wish,
    /// The text of the recipe that the caller means.
    pub digest: Option<&'a str>,
}

/// What the caller gets.
pub struct Renewed {
    /// The new end.
    pub ends: Ends,
    /// When that was said.
    pub at: i64,
}

/// A renewal that nothing speaks against.
struct Granted {
    /// Which of the asks it is.
    place: usize,
    lease: Lease,
    recipe: Rc<Recipe>,
    ends: Ends,
    due_at: i64,
}

/// So long a renewal that is alone waits for a login that somebody holds.
const PATIENCE_MS: u64 = 2_000;

/// Gives a lease a new end.
pub fn one(
    db: &mut SpiClient<'_>,
    caller: &Caller,
    ask: Ask<'_>,
    scope: Option<&str>,
) -> Result<Renewed, Fault> {
    let lease_id = ask.lease_id;
    let mut renewed = renew(db, caller, &[ask], scope, PATIENCE_MS)?;
    renewed.pop().unwrap_or_else(|| Err(ended(lease_id)))
}

/// Gives these leases new ends; one answer for each, in order. Of one that is refused nothing has been written. What goes
/// wrong after that is an error of the whole.
pub fn all(
    db: &mut SpiClient<'_>,
    caller: &Caller,
    asks: &[Ask<'_>],
    scope: Option<&str>,
) -> Result<Vec<Result<Renewed, Fault>>, Fault> {
    renew(db, caller, asks, scope, 0)
}

fn renew(
    db: &mut SpiClient<'_>,
    caller: &Caller,
    asks: &[Ask<'_>],
    scope: Option<&str>,
    patience_ms: u64,
) -> Result<Vec<Result<Renewed, Fault>>, Fault> {
    let reach = caller.reach(db, scope)?;
    durable::ensure();
    xact::refuse_prepare();
    let ids: Vec<&str> = asks.iter().map(|ask| ask.lease_id).collect();
    let mut found = Found::of(leases::lock(db, &reach, &ids)?);
    let now = clock::wall();
    let mut judge = Judge::new(db, &found, now)?;
    let mut answers = Vec::with_capacity(asks.len());
    let mut granted = Vec::with_capacity(asks.len());
    for (place, ask) in asks.iter().enumerate() {
        let verdict = found
            .take(ask.lease_id)
            .and_then(|lease| judge.grant(db, place, lease, ask));
        answers.push(verdict.map(|grant| {
            let ends = grant.ends;
            granted.push(grant);
            Renewed { ends, at: now }
        }));
    }
    for (place, fault) in hold_logins(db, &mut granted, patience_ms)? {
        answers[place] = Err(fault);
    }
    write(db, &granted)?;
    Ok(answers)
}

/// Leases by their ids.
struct Found(HashMap<String, Vec<Lease>>);

impl Found {
    fn of(leases: Vec<Lease>) -> Self {
        let mut found: HashMap<String, Vec<Lease>> = HashMap::new();
        for lease in leases {
            found.entry(lease.lease_id.clone()).or_default().push(lease);
        }
        Self(found)
    }

    /// The one of that id; it is there once.
    fn take(&mut self, lease_id: &str) -> Result<Lease, Fault> {
        let found = self.0.get_mut(lease_id).ok_or_else(|| ended(lease_id))?;
        if found.len() > 1 {
            return Err(Fault::argument(
                format!("lease \"{lease_id}\" exists in several scopes"),
                "Say which scope is meant.",
            ));
        }
        found.pop().ok_or_else(|| {
            Fault::argument(
                format!("lease \"{lease_id}\" is named twice"),
                "Renew it once in a call.",
            )
        })
    }
}

/// What judging leases needs to know, read once for all of them.
struct Judge {
    now: i64,
    owners: HashMap<String, Held>,
    recipes: HashMap<(String, String), Rc<Recipe>>,
}

impl Judge {
    fn new(db: &mut SpiClient<'_>, found: &Found, now: i64) -> Result<Self, Fault> {
        let mut names: HashMap<&str, HashSet<&str>> = HashMap::new();
        for lease in found.0.values().flatten() {
            if let Some(owner) = &lease.owner {
                names.entry(&lease.scope).or_default().insert(owner);
            }
        }
        let mut owners = HashMap::new();
        for (scope, names) in names {
            let mut names: Vec<&str> = names.into_iter().collect();
            names.sort_unstable();
            owners.insert(scope.to_owned(), Held::lines(db, scope, &names)?);
        }
        Ok(Self {
            now,
            owners,
            recipes: HashMap::new(),
        })
    }

    /// What a lease gets of what is asked for.
    fn grant(
        &mut self,
        db: &mut SpiClient<'_>,
        place: usize,
        lease: Lease,
        ask: &Ask<'_>,
    ) -> Result<Granted, Fault> {
        let now = self.now;
        let over = lease.called || lease.expires_at <= now;
        if !lease.active || lease.due_at <= now && over {
            return Err(ended(&lease.lease_id));
        }
        let owners_end = match (&lease.owner, self.owners.get_mut(&lease.scope)) {
            (Some(owner), Some(held)) => held.earliest_end(db, owner, now)?,
            _ => None,
        };
        if lease.due_at <= now && owners_end.is_none_or(|end| end <= now) {
            return Err(ended(&lease.lease_id));
        }
        let recipe = self.recipe(db, &lease)?;
        issue::same_digest(&recipe, ask.digest)?;
        let ends = ttl::renew(
            now,
            lease.issued_at,
            recipe.terms.rules(),
            ask.wish,
            lease.cap_at,
        )?;
        let due_at = owners_end.map_or(ends.expires_at, |end| end.min(ends.expires_at));
        Ok(Granted {
            place,
            lease,
            recipe,
            ends,
            due_at,
        })
    }

    fn recipe(&mut self, db: &mut SpiClient<'_>, lease: &Lease) -> Result<Rc<Recipe>, Fault> {
        let key = (lease.scope.clone(), lease.role.clone());
        if let Some(known) = self.recipes.get(&key) {
            return Ok(known.clone());
        }
        let recipe = Rc::new(issue::find(db, &lease.scope, &lease.role, None)?);
        self.recipes.insert(key, recipe.clone());
        Ok(recipe)
    }
}

/// Locks the rows of the logins, and takes those out of `granted` that it can not have: which asks they are, and why.
///
/// A login can hold its row (with `ALTER ROLE` of its own in a transaction it leaves open), and a renewal that waited for it
/// would hold the lease and its caller for as long. So one alone waits for a while, and of a batch nobody does.
fn hold_logins(
    db: &mut SpiClient<'_>,
    granted: &mut Vec<Granted>,
    patience_ms: u64,
) -> Result<Vec<(usize, Fault)>, Fault> {
    let wanted: Vec<Known<'_>> = granted
        .iter()
        .filter_map(|one| {
            Some(Known {
                login: one.lease.login_oid?,
                name: one.lease.login.as_deref()?,
                number: one.lease.number,
            })
        })
        .collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let installation = databases::own_installation()?;
    let began = clock::monotonic_ms();
    let there = |login: Oid| identity::name_of(login).is_some();
    let mut locked: HashMap<Oid, Locked> = HashMap::new();
    loop {
        let rows = logins::lock(db, installation, &wanted)?;
        locked.extend(rows.into_iter().map(|row| (row.login, row)));
        let over = clock::monotonic_ms() - began >= patience_ms;
        let all = |known: &Known<'_>| locked.contains_key(&known.login);
        if over || wanted.iter().all(all) || !wanted.iter().all(|known| there(known.login)) {
            break;
        }
        latch::wait(20);
    }
    let mut refused = Vec::new();
    granted.retain_mut(|one| {
        let (Some(name), Some(login)) = (&one.lease.login, one.lease.login_oid) else {
            return true;
        };
        let fault = match locked.remove(&login) {
            Some(row) if row.ours => {
                // Statements name it as it is called now.
                one.lease.login = Some(row.name);
                return true;
            }
            None if there(login) => Fault::Held {
                login: name.clone(),
            },
            _ => ended(&one.lease.lease_id),
        };
        refused.push((one.place, fault));
        false
    });
    Ok(refused)
}

/// Writes what was granted: the recipes' statements, the logins' own ends, the leases, the outbox.
fn write(db: &mut SpiClient<'_>, granted: &[Granted]) -> Result<(), Fault> {
    if granted.is_empty() {
        return Ok(());
    }
    let mut logins = Vec::with_capacity(granted.len());
    for Granted {
        lease,
        recipe,
        ends,
        ..
    } in granted
    {
        if let (Some(name), Some(login)) = (&lease.login, lease.login_oid) {
            run_statements(db, recipe, name, ends)?;
            logins.push((login, ends.expires_at, recipe.definer.1));
        }
    }
    let ends: Vec<(Oid, i64)> = logins
        .iter()
        .map(|(login, end, _)| (*login, *end))
        .collect();
    if login::extend(&ends) < ends.len() {
        return Err(Fault::Internal(
            "a login whose row is locked is not there".into(),
        ));
    }
    for (login, _, definer) in logins {
        audit::audit(login, identity::is_superuser(definer))?;
    }
    let moved: Vec<Moved> = granted
        .iter()
        .map(|one| Moved {
            number: one.lease.number,
            expires_at: one.ends.expires_at,
            max_expires_at: one.ends.max_expires_at,
            due_at: one.due_at,
        })
        .collect();
    leases::renew(db, &moved)?;
    let told: Vec<(&str, i64, &str, i64)> = granted
        .iter()
        .map(|Granted { lease, ends, .. }| {
            let Lease {
                scope,
                number,
                lease_id,
                ..
            } = lease;
            (scope.as_str(), *number, lease_id.as_str(), ends.expires_at)
        })
        .collect();
    outbox::renewed(db, &told)?;
    for one in granted {
        wake::at_commit(one.due_at);
    }
    Ok(())
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
