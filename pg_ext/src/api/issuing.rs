//! `issue`, `settle`.

use super::args::{need, texts, verb};
use crate::catalog::time;
use crate::core::error::Fault;
use crate::core::ttl::{SECOND_US, Wish};
use crate::lease::issue::{self, Ask};
use crate::lease::owner::Claim;
use crate::lease::settle::{self, Outcome};
use pgrx::datum::{Array, Interval, TimestampWithTimeZone};
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{name, pg_extern};

#[pg_extern(sql = false, name = "issue")]
#[expect(
    clippy::too_many_arguments,
    reason = "the arguments of the SQL function"
)]
#[expect(clippy::type_complexity, reason = "the columns of the SQL function")]
fn issue_lease(
    role: Option<&str>,
    ttl: Option<Interval>,
    max_ttl: Option<Interval>,
    cap: Option<Interval>,
    owners: Option<Array<'_, &str>>,
    owner_ttls: Option<Array<'_, Interval>>,
    owner_revisions: Option<Array<'_, i64>>,
    display_name: Option<&str>,
    login: Option<&str>,
    verifier: Option<&str>,
    request_id: Option<&str>,
    digest: Option<&str>,
    scope: Option<&str>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(lease_id, String),
            name!(login, Option<String>),
            name!(password, Option<String>),
            name!(ttl_seconds, i64),
            name!(max_ttl_seconds, i64),
            name!(issued_at, TimestampWithTimeZone),
            name!(expires_at, TimestampWithTimeZone),
        ),
    >,
    ErrorReport,
> {
    verb(|db, caller| {
        let ask = Ask {
            role: need("role", role)?,
            wish: Wish {
                ttl_us: ttl.as_ref().map(time::length),
                max_us: max_ttl.as_ref().map(time::length),
            },
            cap_us: cap.as_ref().map(time::length),
            owners: chain(owners, owner_ttls, owner_revisions)?,
            display_name,
            login,
            verifier,
            request_id,
            digest,
            scope,
        };
        let issued = issue::issue(db, caller, ask)?;
        let seconds = |end: i64| (end - issued.issued_at) / SECOND_US;
        Ok(TableIterator::once((
            issued.lease_id,
            issued.login,
            issued.password.map(|password| String::clone(&password)),
            seconds(issued.ends.expires_at),
            seconds(issued.ends.max_expires_at),
            time::instant(issued.issued_at),
            time::instant(issued.ends.expires_at),
        )))
    })
}

#[pg_extern(sql = false, name = "settle")]
#[expect(clippy::type_complexity, reason = "the columns of the SQL function")]
fn settle_requests(
    request_ids: Option<Array<'_, &str>>,
    scope: Option<&str>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(request_id, String),
            name!(outcome, &'static str),
            name!(ttl_seconds, Option<i64>),
        ),
    >,
    ErrorReport,
> {
    verb(|db, caller| {
        let ids = texts("request_ids", request_ids)?;
        let settled = settle::settle(db, caller, ids, scope)?;
        Ok(TableIterator::new(settled.into_iter().map(
            |one| match one.outcome {
                Outcome::Issued { ttl_seconds } => (one.request_id, "issued", Some(ttl_seconds)),
                Outcome::Cancelled => (one.request_id, "cancelled", None),
                Outcome::Ended => (one.request_id, "ended", None),
            },
        )))
    })
}

/// Three lists side by side: each owner's parent is the next one.
fn chain(
    owners: Option<Array<'_, &str>>,
    ttls: Option<Array<'_, Interval>>,
    revisions: Option<Array<'_, i64>>,
) -> Result<Vec<Claim>, Fault> {
    let owners = texts("owners", owners)?;
    // By reference: pgrx's owned iterator asserts that a null at the end lies within the array's data, which it does not.
    let ttls: Vec<Option<i64>> = ttls
        .iter()
        .flat_map(|list| list.iter())
        .map(|ttl| ttl.as_ref().map(time::length))
        .collect();
    let revisions: Vec<Option<i64>> = revisions.iter().flat_map(|list| list.iter()).collect();
    if ttls.len() > owners.len() || revisions.len() > owners.len() {
        return Err(Fault::argument(
            "owner_ttls or owner_revisions is longer than owners",
            "Give one of each for each owner; null is an owner that never ends, and revision 0.",
        ));
    }
    Ok(owners
        .iter()
        .enumerate()
        .map(|(at, owner)| Claim {
            owner: owner.clone(),
            parent: owners.get(at + 1).cloned(),
            ttl_us: ttls.get(at).copied().flatten(),
            revision: revisions.get(at).copied().flatten().unwrap_or(0),
        })
        .collect())
}
