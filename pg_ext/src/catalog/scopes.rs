//! Who may act in which scope.

use super::plan::rows;
use crate::core::error::Fault;
use crate::core::label::Installation;
use pgrx::Uuid;
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiClient;

const IS_LOGIN: &str =
    "select from leasehold.scope_logins where scope = $1 and login_oid = $2 and login = $3::name";
const SCOPES_OF: &str = "select scope from leasehold.scope_logins where login_oid = $1 and login = $2::name order by scope";
const ALL: &str = "select scope from leasehold.scopes order by scope";
const REGISTER: &str =
    "insert into leasehold.scopes (scope, installation, key_hash, registered_by) values ($1, $2, $3, $4::name)
         on conflict (scope) do nothing";
const KEY: &str = "select key_hash from leasehold.scopes where scope = $1 and installation = $2";
const FORGET_LOGINS: &str = "delete from leasehold.scope_logins l using leasehold.scopes s
         where s.scope = $1 and s.installation <> $2 and l.scope = s.scope";
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
    Ok(!rows(db, IS_LOGIN, &[scope.into(), login.into(), name.into()])?.is_empty())
}

/// The scopes whose key `login` has shown.
pub fn of_login(db: &mut SpiClient<'_>, login: Oid, name: &str) -> Result<Vec<String>, Fault> {
    names(rows(db, SCOPES_OF, &[login.into(), name.into()])?)
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
    for forget in [FORGET_LOGINS, FORGET] {
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
