//! The table of recipes.

use super::plan::rows;
use super::time;
use crate::core::error::Fault;
use crate::core::ttl::Rules;
use pgrx::datum::{DatumWithOid, Interval};
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiClient;

/// A recipe as it is defined.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The scope it belongs to.
    pub scope: String,
    /// Its name within the scope.
    pub name: String,
    /// What it says.
    pub terms: Terms,
    /// The digest over all of it.
    pub digest: String,
    /// Whose rights its statements run with: name and OID.
    pub definer: (String, Oid),
}

/// What a recipe says.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The groups its logins are members of.
    pub member_of: Vec<String>,
    /// The same groups by OID, in the same order.
    pub member_of_oids: Vec<Oid>,
    /// The texts that make a login; none for a recipe by membership alone.
    pub creation: Vec<String>,
    /// The texts that run when a lease ends, after the fence.
    pub revocation: Vec<String>,
    /// The texts that run when a lease is renewed.
    pub renewal: Vec<String>,
    /// How long a lease lives if nobody asks.
    pub default_ttl: Option<Interval>,
    /// How long it can live.
    pub max_ttl: Option<Interval>,
    /// Sessions a login may have at once.
    pub connection_limit: Option<i32>,
    /// `name=value`, set for each login.
    pub settings: Vec<String>,
    /// Who gets what a login owns in the end: name and OID.
    pub reassign_to: Option<(String, Oid)>,
    /// Or is it dropped?
    pub drop_owned: bool,
    /// How grants of the creation statements are kept.
    pub grants: String,
}

impl Terms {
    /// What the recipe says about time.
    pub fn rules(&self) -> Rules {
        Rules {
            default_us: self.default_ttl.as_ref().map(time::length),
            max_us: self.max_ttl.as_ref().map(time::length),
        }
    }
}

/// What is kept under a recipe's name, dropped or not.
pub struct Stored {
    /// The digest of the text.
    pub digest: String,
    /// The store's revision of it.
    pub revision: i64,
    /// True if it was dropped.
    pub dropped: bool,
    /// Who defined it.
    pub definer_oid: Oid,
}

const FIND: &str = "select digest, definer::text, definer_oid, member_of::text[], member_of_oids, creation_statements,
                revocation_statements, renewal_statements, default_ttl, max_ttl, connection_limit, settings,
                reassign_to::text, reassign_to_oid, drop_owned, grants
           from leasehold.recipes where scope = $1 and role_name = $2 and dropped_at is null";
const STORED: &str = "select digest, revision, dropped_at is not null, definer_oid
           from leasehold.recipes where scope = $1 and role_name = $2 for update";
const PUT: &str = "insert into leasehold.recipes (scope, role_name, digest, revision, member_of, member_of_oids,
                creation_statements, revocation_statements, renewal_statements, default_ttl, max_ttl, connection_limit,
                settings, reassign_to, reassign_to_oid, drop_owned, grants, definer, definer_oid, defined_at)
         values ($1, $2, $3, $4, $5::text[]::name[], $6, $7, $8, $9, $10, $11, $12, $13, $14::name, $15, $16, $17,
                 $18::name, $19, pg_catalog.clock_timestamp())
         on conflict (scope, role_name) do update set
                digest = excluded.digest, revision = excluded.revision, member_of = excluded.member_of,
                member_of_oids = excluded.member_of_oids, creation_statements = excluded.creation_statements,
                revocation_statements = excluded.revocation_statements,
                renewal_statements = excluded.renewal_statements, default_ttl = excluded.default_ttl,
                max_ttl = excluded.max_ttl, connection_limit = excluded.connection_limit, settings = excluded.settings,
                reassign_to = excluded.reassign_to, reassign_to_oid = excluded.reassign_to_oid,
                drop_owned = excluded.drop_owned, grants = excluded.grants, definer = excluded.definer,
                definer_oid = excluded.definer_oid, defined_at = excluded.defined_at, dropped_at = null
          where recipes.revision <= excluded.revision
         returning revision";
const REVISE: &str =
    "update leasehold.recipes set revision = $3 where scope = $1 and role_name = $2";
const DROP: &str =
    "update leasehold.recipes set dropped_at = pg_catalog.clock_timestamp(), revision = $3
          where scope = $1 and role_name = $2";

/// The recipe of that name, unless it is dropped.
pub fn find(db: &mut SpiClient<'_>, scope: &str, name: &str) -> Result<Option<Recipe>, Fault> {
    let found = rows(db, FIND, &[scope.into(), name.into()])?;
    if found.is_empty() {
        return Ok(None);
    }
    let row = found.first();
    let absent = || Fault::Internal("a column of leasehold.recipes is null".into());
    let reassign_to = match (row.get::<String>(13)?, row.get::<Oid>(14)?) {
        (Some(name), Some(role)) => Some((name, role)),
        _ => None,
    };
    Ok(Some(Recipe {
        scope: scope.to_owned(),
        name: name.to_owned(),
        digest: row.get(1)?.ok_or_else(absent)?,
        definer: (
            row.get(2)?.ok_or_else(absent)?,
            row.get(3)?.ok_or_else(absent)?,
        ),
        terms: Terms {
            member_of: row.get(4)?.ok_or_else(absent)?,
            member_of_oids: row.get(5)?.ok_or_else(absent)?,
            creation: row.get(6)?.ok_or_else(absent)?,
            revocation: row.get(7)?.ok_or_else(absent)?,
            renewal: row.get(8)?.ok_or_else(absent)?,
            default_ttl: row.get(9)?,
            max_ttl: row.get(10)?,
            connection_limit: row.get(11)?,
            settings: row.get(12)?.ok_or_else(absent)?,
            reassign_to,
            drop_owned: row.get(15)?.ok_or_else(absent)?,
            grants: row.get(16)?.ok_or_else(absent)?,
        },
    }))
}

/// What is kept under that name; its row stays locked.
pub fn stored(db: &mut SpiClient<'_>, scope: &str, name: &str) -> Result<Option<Stored>, Fault> {
    let found = rows(db, STORED, &[scope.into(), name.into()])?;
    if found.is_empty() {
        return Ok(None);
    }
    let row = found.first();
    Ok(Some(Stored {
        digest: row.get(1)?.unwrap_or_default(),
        revision: row.get(2)?.unwrap_or_default(),
        dropped: row.get(3)?.unwrap_or_default(),
        definer_oid: row.get(4)?.unwrap_or(Oid::INVALID),
    }))
}

/// Writes `recipe`; false if a newer revision came in between.
pub fn put(db: &mut SpiClient<'_>, recipe: &Recipe, revision: i64) -> Result<bool, Fault> {
    let terms = &recipe.terms;
    let reassign = terms.reassign_to.as_ref();
    let args: [DatumWithOid<'_>; 19] = [
        recipe.scope.as_str().into(),
        recipe.name.as_str().into(),
        recipe.digest.as_str().into(),
        revision.into(),
        terms.member_of.clone().into(),
        terms.member_of_oids.clone().into(),
        terms.creation.clone().into(),
        terms.revocation.clone().into(),
        terms.renewal.clone().into(),
        terms.default_ttl.into(),
        terms.max_ttl.into(),
        terms.connection_limit.into(),
        terms.settings.clone().into(),
        reassign.map(|(name, _)| name.as_str()).into(),
        reassign.map(|(_, role)| *role).into(),
        terms.drop_owned.into(),
        terms.grants.as_str().into(),
        recipe.definer.0.as_str().into(),
        recipe.definer.1.into(),
    ];
    Ok(!rows(db, PUT, &args)?.is_empty())
}

/// Notes a newer revision of the same text.
pub fn revise(db: &mut SpiClient<'_>, scope: &str, name: &str, revision: i64) -> Result<(), Fault> {
    rows(db, REVISE, &[scope.into(), name.into(), revision.into()]).map(|_| ())
}

/// Marks a recipe as dropped; the row stays as the memory of its revision.
pub fn drop(db: &mut SpiClient<'_>, scope: &str, name: &str, revision: i64) -> Result<(), Fault> {
    rows(db, DROP, &[scope.into(), name.into(), revision.into()]).map(|_| ())
}
