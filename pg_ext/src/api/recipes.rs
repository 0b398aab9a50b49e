//! `define_role`, `drop_role`, `offer`, `withdraw`.

use super::args::{names, need, texts, verb};
use crate::catalog::recipes::Terms;
use crate::core::error::Fault;
use crate::role::{define, offer, statements};
use pgrx::datum::{Array, Interval};
use pgrx::iter::TableIterator;
use pgrx::pg_sys::Oid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{name, pg_extern};
use std::ffi::CStr;

#[pg_extern(sql = false)]
#[expect(
    clippy::too_many_arguments,
    reason = "the arguments of the SQL function"
)]
fn define_role(
    name: Option<&str>,
    member_of: Option<Array<'_, &CStr>>,
    creation_statements: Option<Array<'_, &str>>,
    revocation_statements: Option<Array<'_, &str>>,
    renewal_statements: Option<Array<'_, &str>>,
    default_ttl: Option<Interval>,
    max_ttl: Option<Interval>,
    connection_limit: Option<i32>,
    settings: Option<Array<'_, &str>>,
    reassign_to: Option<&CStr>,
    drop_owned: Option<bool>,
    grants: Option<&str>,
    revision: Option<i64>,
    scope: Option<&str>,
) -> Result<String, ErrorReport> {
    verb(|db, caller| {
        let name = need("name", name)?;
        let terms = Terms {
            member_of: names("member_of", member_of)?,
            member_of_oids: Vec::new(),
            creation: texts("creation_statements", creation_statements)?,
            revocation: texts("revocation_statements", revocation_statements)?,
            renewal: texts("renewal_statements", renewal_statements)?,
            default_ttl,
            max_ttl,
            connection_limit,
            settings: texts("settings", settings)?,
            reassign_to: reassign_to
                .map(|heir| (heir.to_string_lossy().into_owned(), Oid::INVALID)),
            drop_owned: drop_owned.unwrap_or(false),
            grants: grants.unwrap_or("own").to_owned(),
        };
        let scope = caller.one(db, scope)?;
        define::define(db, scope, name, terms, caller.role, revision)
    })
}

#[pg_extern(sql = false)]
fn drop_role(
    name: Option<&str>,
    revision: Option<i64>,
    scope: Option<&str>,
) -> Result<bool, ErrorReport> {
    verb(|db, caller| {
        let name = need("name", name)?;
        let scope = caller.one(db, scope)?;
        define::drop(db, scope, name, revision)
    })
}

#[pg_extern(sql = false, name = "offer")]
fn offer_group(group_role: Option<&CStr>, to_role: Option<&CStr>) -> Result<(), ErrorReport> {
    verb(|db, caller| {
        let group = need("group_role", group_role)?.to_string_lossy();
        let to = need("to_role", to_role)?.to_string_lossy();
        offer::offer(db, caller.role, &group, &to)
    })
}

#[pg_extern(sql = false, name = "withdraw")]
fn withdraw_group(
    group_role: Option<&CStr>,
    from_role: Option<&CStr>,
) -> Result<bool, ErrorReport> {
    verb(|db, caller| {
        let group = need("group_role", group_role)?.to_string_lossy();
        let from = need("from_role", from_role)?.to_string_lossy();
        offer::withdraw(db, caller.role, &group, &from)
    })
}

/// `leasehold.lint(statements)`: nothing is run and nothing looked up, so anybody who may define may ask.
#[pg_extern(sql = false, name = "lint")]
fn lint_statements(
    statements: Option<Array<'_, &str>>,
    grants: Option<&str>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(severity, String),
            name!(what, String),
            name!(hint, String),
        ),
    >,
    ErrorReport,
> {
    let texts = texts("statements", statements)?;
    statements::check(&texts).map_err(Fault::from)?;
    let shared = define::shares(grants.unwrap_or("own"))?;
    let findings = statements::lint::lint(&texts, shared);
    Ok(TableIterator::new(findings.into_iter().map(|finding| {
        (
            finding.severity.word().to_owned(),
            finding.what,
            finding.hint,
        )
    })))
}
