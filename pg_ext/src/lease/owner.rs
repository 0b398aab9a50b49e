//! Owners: what a lease is tied to besides its own end (a token, for a broker), and what that is tied to. A lease ends
//! at the earliest of its own end and all of theirs.

use crate::catalog::owners::{self, Owner};
use crate::core::error::Fault;
use pgrx::spi::SpiClient;

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

/// Takes note of a chain of owners (each one's parent comes next), holds it so that none of it can end before this
/// transaction does, and gives the earliest end in it; `None` is never.
pub fn hold(
    db: &mut SpiClient<'_>,
    scope: &str,
    chain: &[Claim],
    now: i64,
) -> Result<Option<i64>, Fault> {
    let names: Vec<&str> = chain.iter().map(|claim| claim.owner.as_str()).collect();
    let mut known = owners::hold(db, scope, &names)?;
    let mut news = false;
    // Parents first, or this and an end on its way down would wait for each other.
    for claim in chain.iter().rev() {
        let old = known.iter().find(|owner| owner.owner == claim.owner);
        if old.is_none_or(|old| !old.ended && old.revision < claim.revision) {
            tell(db, scope, claim, now)?;
            news = true;
        }
    }
    if news {
        known = owners::hold(db, scope, &names)?;
    }
    match chain.first() {
        None => Ok(None),
        Some(first) => earliest(db, scope, &first.owner, known, now),
    }
}

/// The earliest end of `owner` and all above it, held as in [`hold`].
pub fn earliest_end(
    db: &mut SpiClient<'_>,
    scope: &str,
    owner: &str,
    now: i64,
) -> Result<Option<i64>, Fault> {
    earliest(db, scope, owner, Vec::new(), now)
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

fn earliest(
    db: &mut SpiClient<'_>,
    scope: &str,
    owner: &str,
    known: Vec<Owner>,
    now: i64,
) -> Result<Option<i64>, Fault> {
    let mut end: Option<i64> = None;
    let mut next = Some(owner.to_owned());
    for _ in 0..DEPTH_MAX {
        let Some(name) = next else {
            return Ok(end);
        };
        let owner = match known.iter().find(|owner| owner.owner == name) {
            Some(owner) => Some(owner.clone()),
            None => owners::hold(db, scope, &[&name])?.pop(),
        };
        // One that nobody has told us about can not say when it ends.
        let Some(owner) = owner else {
            return Ok(end);
        };
        if owner.ended || owner.ends_at.is_some_and(|at| at <= now) {
            return Err(Fault::OwnerEnded { owner: name });
        }
        end = match (end, owner.ends_at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        next = owner.parent;
    }
    Err(too_deep())
}

fn refuse_circle(
    db: &mut SpiClient<'_>,
    scope: &str,
    owner: &str,
    parent: &str,
) -> Result<(), Fault> {
    let mut next = Some(parent.to_owned());
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
        next = owners::hold(db, scope, &[&name])?
            .pop()
            .and_then(|owner| owner.parent);
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
