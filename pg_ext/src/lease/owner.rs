//! Owners: what a lease is tied to besides its own end (a token, for a broker), and what that is tied to. A lease ends
//! at the earliest of its own end and all of theirs.

use crate::catalog::owners::{self, Owner};
use crate::core::error::Fault;
use pgrx::spi::SpiClient;
use std::collections::HashMap;

/// How many owners there can be, one above the other.
pub const DEPTH_MAX: usize = 1_000;
/// How many bytes an owner's name may have.
pub const NAME_BYTES_MAX: usize = 1_024;

/// What a caller says of an owner.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Its name.
    pub owner: String,
    /// What it ends with.
    pub parent: Option<String>,
    /// How long it still lives; `None` is for ever, zero or less is ended.
    pub ttl_us: Option<i64>,
    /// The store's revision of this.
    pub revision: i64,
}

/// Owners of one scope, as they were read in this transaction and are held in it: none of them can end before it does.
pub struct Held {
    scope: String,
    owners: HashMap<String, Owner>,
}

impl Held {
    /// These owners and all above them, as far as they are known.
    pub fn lines(db: &mut SpiClient<'_>, scope: &str, names: &[&str]) -> Result<Self, Fault> {
        let mut level: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut seen: Vec<String> = Vec::new();
        for _ in 0..DEPTH_MAX {
            level.sort_unstable();
            level.dedup();
            if level.is_empty() {
                break;
            }
            let above = owners::parents(db, scope, &level)?;
            // Who comes up again stands higher than was thought.
            seen.retain(|name| !level.contains(name));
            seen.append(&mut level);
            level = above;
        }
        let top_down: Vec<&str> = seen.iter().rev().map(String::as_str).collect();
        Ok(Self::of(scope, owners::hold(db, scope, &top_down)?))
    }

    /// Takes note of chains of owners (in each, the next one is the parent), and holds them.
    pub fn told(
        db: &mut SpiClient<'_>,
        scope: &str,
        chains: &[&[Claim]],
        now: i64,
    ) -> Result<Self, Fault> {
        let claims = latest(chains);
        // Parents first, or this and an end on its way down would wait for each other.
        let names: Vec<&str> = claims.iter().map(|claim| claim.owner.as_str()).collect();
        let mut held = Self::of(scope, owners::hold(db, scope, &names)?);
        let mut news = false;
        for claim in claims {
            let old = held.owners.get(&claim.owner);
            if old.is_none_or(|old| !old.ended && old.revision < claim.revision) {
                tell(db, scope, claim, now)?;
                news = true;
            }
        }
        if news {
            held = Self::of(scope, owners::hold(db, scope, &names)?);
        }
        Ok(held)
    }

    fn of(scope: &str, owners: Vec<Owner>) -> Self {
        Self {
            scope: scope.to_owned(),
            owners: owners
                .into_iter()
                .map(|owner| (owner.owner.clone(), owner))
                .collect(),
        }
    }

    /// The earliest end of `owner` and all above it; `None` is never.
    pub fn earliest_end(
        &mut self,
        db: &mut SpiClient<'_>,
        owner: &str,
        now: i64,
    ) -> Result<Option<i64>, Fault> {
        let mut end: Option<i64> = None;
        let mut next = Some(owner.to_owned());
        for _ in 0..DEPTH_MAX {
            let Some(name) = next else {
                return Ok(end);
            };
            if !self.owners.contains_key(&name)
                && let Some(owner) = owners::hold(db, &self.scope, &[&name])?.pop()
            {
                self.owners.insert(name.clone(), owner);
            }
            // One that nobody has told us about can not say when it ends.
            let Some(owner) = self.owners.get(&name) else {
                return Ok(end);
            };
            if owner.ended || owner.ends_at.is_some_and(|at| at <= now) {
                return Err(Fault::OwnerEnded { owner: name });
            }
            end = match (end, owner.ends_at) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            next = owner.parent.clone();
        }
        Err(too_deep())
    }
}

/// What is claimed of each owner, the newest of several; parents before their children.
fn latest<'a>(chains: &[&'a [Claim]]) -> Vec<&'a Claim> {
    let mut newest: HashMap<&str, &Claim> = HashMap::new();
    let mut order: Vec<&str> = Vec::new();
    // From the end of the last chain on: where an owner comes up first, it stands behind all of its children.
    for claim in chains.iter().rev().flat_map(|chain| chain.iter().rev()) {
        match newest.get_mut(claim.owner.as_str()) {
            Some(known) if known.revision < claim.revision => *known = claim,
            Some(_) => {}
            None => {
                newest.insert(&claim.owner, claim);
                order.push(&claim.owner);
            }
        }
    }
    order.iter().map(|name| newest[name]).collect()
}

/// Writes what `claim` says, if it is news: only a newer revision counts, and ended stays ended.
pub fn tell(db: &mut SpiClient<'_>, scope: &str, claim: &Claim, now: i64) -> Result<bool, Fault> {
    if claim.owner.is_empty() || claim.owner.len() > NAME_BYTES_MAX {
        return Err(Fault::argument(
            format!("an owner's name has 1 to {NAME_BYTES_MAX} bytes"),
            "Use the accessor of the token, or another harmless name of what the lease belongs to.",
        ));
    }
    if let Some(parent) = &claim.parent {
        refuse_circle(db, scope, &claim.owner, parent)?;
    }
    let ended = claim.ttl_us.is_some_and(|ttl| ttl <= 0);
    let new = Owner {
        owner: claim.owner.clone(),
        parent: claim.parent.clone(),
        ends_at: claim.ttl_us.filter(|_| !ended).map(|ttl| end_of(now, ttl)),
        revision: claim.revision,
        ended,
    };
    if let Some(old) = locked(db, scope, &new, now)? {
        if old.ended || old.revision >= new.revision {
            return Ok(false);
        }
        let earlier = ended
            || new
                .ends_at
                .is_some_and(|end| old.ends_at.is_none_or(|before| end < before))
            || new.parent != old.parent;
        owners::update(db, scope, &new, now, earlier)?;
    }
    Ok(true)
}

/// Ends `owner` for ever, known or not: an unknown one must not come to life by an issue that was slower than its end.
pub fn end(db: &mut SpiClient<'_>, scope: &str, owner: &str, now: i64) -> Result<(), Fault> {
    let dead = Owner {
        owner: owner.to_owned(),
        parent: None,
        ends_at: None,
        revision: 0,
        ended: true,
    };
    match locked(db, scope, &dead, now)? {
        Some(old) if !old.ended => {
            let dead = Owner {
                parent: old.parent,
                revision: old.revision,
                ..dead
            };
            owners::update(db, scope, &dead, now, true)
        }
        _ => Ok(()),
    }
}

/// The row under the name of `new`, locked; `None` if there was none and `new` has been written.
fn locked(
    db: &mut SpiClient<'_>,
    scope: &str,
    new: &Owner,
    now: i64,
) -> Result<Option<Owner>, Fault> {
    if let Some(old) = owners::lock(db, scope, &new.owner)? {
        return Ok(Some(old));
    }
    if owners::insert(db, scope, new, now)? {
        return Ok(None);
    }
    // Another transaction was first; it has committed, or the insert would not have given up.
    owners::lock(db, scope, &new.owner)?
        .map(Some)
        .ok_or_else(|| Fault::Internal("an owner just written by another is not there".into()))
}

fn refuse_circle(
    db: &mut SpiClient<'_>,
    scope: &str,
    owner: &str,
    parent: &str,
) -> Result<(), Fault> {
    let mut next = Some(parent.to_owned());
    let mut alone = false;
    for _ in 0..DEPTH_MAX {
        let Some(name) = next else {
            return Ok(());
        };
        if name == owner {
            return Err(Fault::argument(
                format!("owner \"{owner}\" would end with itself"),
                "Parents form a tree: name what it really belongs to.",
            ));
        }
        next = match owners::hold(db, scope, &[&name])?.pop() {
            Some(owner) => owner.parent,
            // Another transaction may be writing it, below this one: then it names a parent that is not known, too.
            None if !alone => {
                owners::lock_unknown_parents(db, scope)?;
                alone = true;
                Some(name)
            }
            None => None,
        };
    }
    Err(too_deep())
}

fn too_deep() -> Fault {
    Fault::Limit {
        what: format!("more than {DEPTH_MAX} owners, one above the other"),
        cure: "Tie the lease to an owner higher up.".into(),
    }
}

/// An end so far away that it can not be written is as good as one in a hundred years.
fn end_of(now: i64, ttl_us: i64) -> i64 {
    now + ttl_us.min(crate::core::ttl::LONGEST_US)
}
