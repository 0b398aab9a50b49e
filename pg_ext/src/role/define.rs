//! Recipes: defined, replaced and dropped.

use super::shared::SHARED;
use super::{rights, statements};
use crate::catalog::recipes::{self, Recipe, Terms};
use crate::catalog::time;
use crate::core::digest::Fields;
use crate::core::error::Fault;
use crate::core::ttl;
use crate::ffi::identity;
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiClient;

/// How many bytes the name of a recipe may have.
pub const NAME_BYTES_MAX: usize = 1_024;
/// How many groups and settings a recipe may have, each.
pub const LIST_MAX: usize = 100;

/// Defines `name` in `scope`, with the rights of `definer`. The same text again changes nothing, and an older revision
/// than the one in force is refused. Gives the digest.
pub fn define(
    db: &mut SpiClient<'_>,
    scope: &str,
    name: &str,
    mut terms: Terms,
    definer: Oid,
    revision: Option<i64>,
) -> Result<String, Fault> {
    check_name(name)?;
    check_terms(&terms)?;
    terms.member_of_oids = terms
        .member_of
        .iter()
        .map(|group| rights::group(db, definer, group))
        .collect::<Result<_, _>>()?;
    if let Some((heir, role)) = &mut terms.reassign_to {
        *role = rights::heir(definer, heir)?;
    }
    let definer_name = identity::name_of(definer)
        .ok_or_else(|| Fault::Internal("the current user has no name".into()))?;
    let recipe = Recipe {
        digest: digest(scope, name, &terms, &definer_name, definer),
        scope: scope.to_owned(),
        name: name.to_owned(),
        terms,
        definer: (definer_name, definer),
    };
    let revision = match recipes::stored(db, scope, name)? {
        None => revision.unwrap_or(1),
        Some(stored) => {
            let same = !stored.dropped && stored.digest == recipe.digest;
            let given = match revision {
                None if same => return Ok(recipe.digest),
                None => stored.revision + 1,
                Some(given) => given,
            };
            // Two connections of one store may define one revision, each with its own rights.
            let anothers = !stored.dropped && stored.definer_oid != definer;
            if given < stored.revision || given == stored.revision && !same && !anothers {
                return Err(stale(name, stored.revision, given));
            }
            if same {
                if given > stored.revision {
                    recipes::revise(db, scope, name, given)?;
                }
                return Ok(recipe.digest);
            }
            given
        }
    };
    if !recipes::put(db, &recipe, revision)? {
        // Somebody else defined it first, between our look and our write.
        let stored = recipes::stored(db, scope, name)?.map_or(revision, |stored| stored.revision);
        return Err(stale(name, stored, revision));
    }
    Ok(recipe.digest)
}

/// Drops a recipe; false if it was not there. Leases made by it live on, with the ending statements they were made with.
pub fn drop(
    db: &mut SpiClient<'_>,
    scope: &str,
    name: &str,
    revision: Option<i64>,
) -> Result<bool, Fault> {
    let Some(stored) = recipes::stored(db, scope, name)? else {
        return Ok(false);
    };
    if let Some(given) = revision
        && given < stored.revision
    {
        return Err(stale(name, stored.revision, given));
    }
    if !stored.dropped || revision.is_some_and(|given| given > stored.revision) {
        recipes::drop(db, scope, name, revision.unwrap_or(stored.revision))?;
    }
    Ok(!stored.dropped)
}

fn stale(name: &str, stored: i64, given: i64) -> Fault {
    Fault::StaleRevision {
        role: name.to_owned(),
        stored,
        given,
    }
}

fn check_name(name: &str) -> Result<(), Fault> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(Fault::argument(
            format!("a role's name has 1 to {NAME_BYTES_MAX} bytes and no control characters"),
            "Give another name.",
        ));
    }
    Ok(())
}

/// Whether a recipe that says this of its grants shares them.
pub fn shares(grants: &str) -> Result<bool, Fault> {
    match grants {
        "own" => Ok(false),
        SHARED => Ok(true),
        other => Err(Fault::argument(
            format!("grants can not be \"{other}\""),
            "Say 'own' (each login gets what the statements grant) or 'shared' (a group of the recipe's own gets it, once).",
        )),
    }
}

fn check_terms(terms: &Terms) -> Result<(), Fault> {
    for (what, length) in [
        ("default_ttl", &terms.default_ttl),
        ("max_ttl", &terms.max_ttl),
    ] {
        if let Some(length) = length {
            ttl::sane(what, time::length(length))?;
        }
    }
    for texts in [&terms.creation, &terms.revocation, &terms.renewal] {
        statements::check(texts)?;
    }
    for (what, count) in [
        ("member_of", terms.member_of.len()),
        ("settings", terms.settings.len()),
    ] {
        if count > LIST_MAX {
            return Err(Fault::argument(
                format!("{what} has more than {LIST_MAX} entries"),
                "Gather groups in a group of their own.",
            ));
        }
    }
    for setting in &terms.settings {
        super::settings::read(setting)?;
    }
    if terms.connection_limit.is_some_and(|limit| limit < -1) {
        return Err(Fault::argument(
            "connection_limit is negative",
            "Give how many sessions a login may have at once, or null (or -1) for no limit.",
        ));
    }
    if shares(&terms.grants)? {
        statements::share::check(&terms.creation)?;
    }
    if terms.reassign_to.is_some() && terms.drop_owned {
        return Err(Fault::argument(
            "reassign_to and drop_owned exclude each other",
            "Say either who gets what a login leaves behind, or that it is dropped.",
        ));
    }
    Ok(())
}

fn digest(scope: &str, name: &str, terms: &Terms, definer_name: &str, definer: Oid) -> String {
    let texts = |fields: Fields, list: &[String]| fields.texts(list.iter().map(String::as_str));
    let number = |oid: Oid| Some(i64::from(oid.to_u32()));
    let mut fields = Fields::of("recipe 1").text(Some(scope)).text(Some(name));
    for list in [
        &terms.member_of,
        &terms.creation,
        &terms.revocation,
        &terms.renewal,
        &terms.settings,
    ] {
        fields = texts(fields, list);
    }
    for group in &terms.member_of_oids {
        fields = fields.number(number(*group));
    }
    fields
        .number(terms.default_ttl.as_ref().map(time::length))
        .number(terms.max_ttl.as_ref().map(time::length))
        .number(terms.connection_limit.map(i64::from))
        .text(terms.reassign_to.as_ref().map(|(heir, _)| heir.as_str()))
        .number(
            terms
                .reassign_to
                .as_ref()
                .and_then(|(_, heir)| number(*heir)),
        )
        .number(Some(i64::from(terms.drop_owned)))
        .text(Some(&terms.grants))
        .text(Some(definer_name))
        .number(number(definer))
        .hex()
}
