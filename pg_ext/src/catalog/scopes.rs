//! Who may act in which scope.

use super::plan::rows;
use crate::core::error::Fault;
use crate::core::label::Installation;
use crate::ffi::{label, xact};
use pgrx::Uuid;
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiClient;

const IS_LOGIN: &str =
    "select from leasehold.scope_logins l join leasehold.scopes s on s.scope = l.scope and s.installation = $4
          where l.scope = $1 and l.login_oid = $2 and l.login = $3::name";
const SCOPES_OF: &str = "select l.scope from leasehold.scope_logins l
          join leasehold.scopes s on s.scope = l.scope and s.installation = $3
         where l.login_oid = $1 and l.login = $2::name order by l.scope";
const ALL: &str = "select scope from leasehold.scopes order by scope";
const REGISTER: &str =
    "insert into leasehold.scopes (scope, installation, key_hash, registered_by) values ($1, $2, $3, $4::name)
         on conflict (scope) do nothing";
const KEY: &str = "select key_hash from leasehold.scopes where scope = $1 and installation = $2";
const FORGET_LOGINS: &str = "delete from leasehold.scope_logins l using leasehold.scopes s
         where s.scope = $1 and s.installation <> $2 and l.scope = s.scope";
// Whoever comes first has the scope then: but nothing that the other's definers have left in it.
const FORGET_RECIPES: &str = "delete from leasehold.recipes r using leasehold.scopes s
         where s.scope = $1 and s.installation <> $2 and r.scope = s.scope";
const FORGET: &str = "delete from leasehold.scopes where scope = $1 and installation <> $2";
const ADD_LOGIN: &str = "insert into leasehold.scope_logins (scope, login_oid, login) values ($1, $2, $3::name)
         on conflict (scope, login_oid) do update set login = excluded.login where scope_logins.login <> excluded.login";

/// True if `login` has shown the key of `scope`.
pub fn is_login(
    db: &mut SpiClient<'_>,
    scope: &str,
    login: Oid,
    name: &str,
) -> Result<bool, Fault> {
    let Some(here) = here() else {
        return Ok(false);
    };
    let args = [scope.into(), login.into(), name.into(), here.into()];
    Ok(!rows(db, IS_LOGIN, &args)?.is_empty())
}

/// The installation by the label of this database: what was shown to another counts for nothing here.
fn here() -> Option<Uuid> {
    label::installation(xact::my_database()).map(|it| Uuid::from_bytes(it.0))
}

/// The scopes whose key `login` has shown.
pub fn of_login(db: &mut SpiClient<'_>, login: Oid, name: &str) -> Result<Vec<String>, Fault> {
    let Some(here) = here() else {
        return Ok(Vec::new());
    };
    names(rows(
        db,
        SCOPES_OF,
        &[login.into(), name.into(), here.into()],
    )?)
}

/// Every scope that is registered.
pub fn all(db: &mut SpiClient<'_>) -> Result<Vec<String>, Fault> {
    names(rows(db, ALL, &[])?)
}

/// Registers `scope` unless it is; the hash of its key, whoever registered it. What was registered before the database got the
/// label of another installation, as a copy does, counts no more: keys are made for one installation.
pub fn register(
    db: &mut SpiClient<'_>,
    scope: &str,
    installation: Installation,
    key_hash: &[u8; 32],
    by: &str,
) -> Result<Vec<u8>, Fault> {
    let installation = Uuid::from_bytes(installation.0);
    let known = |db: &mut SpiClient<'_>| -> Result<Option<Vec<u8>>, Fault> {
        let found = rows(db, KEY, &[scope.into(), installation.into()])?;
        Ok(if found.is_empty() {
            None
        } else {
            found.first().get_one::<Vec<u8>>()?
        })
    };
    if let Some(hash) = known(db)? {
        return Ok(hash);
    }
    for forget in [FORGET_LOGINS, FORGET_RECIPES, FORGET] {
        rows(db, forget, &[scope.into(), installation.into()])?;
    }
    rows(
        db,
        REGISTER,
        &[
            scope.into(),
            installation.into(),
            key_hash.as_slice().into(),
            by.into(),
        ],
    )?;
    known(db)?.ok_or_else(|| Fault::Internal("a scope just registered is not there".into()))
}

/// Makes `login` one that may act in `scope`.
pub fn add_login(db: &mut SpiClient<'_>, scope: &str, login: Oid, name: &str) -> Result<(), Fault> {
    rows(db, ADD_LOGIN, &[scope.into(), login.into(), name.into()]).map(|_| ())
}

fn names(table: pgrx::spi::SpiTupleTable<'_>) -> Result<Vec<String>, Fault> {
    table
        .map(|row| Ok(row.get::<String>(1)?.unwrap_or_default()))
        .collect()
}
