//! `issue`, `issue_many`, `settle`.

use super::args::{lengths_beside, need, texts, texts_beside, verb, wish};
use crate::catalog::time;
use crate::core::error::Fault;
use crate::core::ttl::{SECOND_US, Wish};
use crate::lease::issue::{self, Ask, Batch};
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
        let owners = chain(owners, owner_ttls, owner_revisions)?;
        let batch = Batch {
            role: need("role", role)?,
            digest,
            scope,
        };
        let ask = Ask {
            wish: wish(ttl.as_ref(), max_ttl.as_ref()),
            cap_us: cap.as_ref().map(time::length),
            owners: &owners,
            display_name,
            login,
            verifier,
            request_id,
        };
        let issued = issue::one(db, caller, &batch, &ask)?;
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

#[pg_extern(sql = false)]
#[expect(
    clippy::too_many_arguments,
    reason = "the arguments of the SQL function"
)]
#[expect(clippy::type_complexity, reason = "the columns of the SQL function")]
fn issue_many(
    role: Option<&str>,
    request_ids: Option<Array<'_, &str>>,
    ttls: Option<Array<'_, Interval>>,
    max_ttls: Option<Array<'_, Interval>>,
    caps: Option<Array<'_, Interval>>,
    owners: Option<Array<'_, &str>>,
    owner_ttls: Option<Array<'_, Interval>>,
    owner_revisions: Option<Array<'_, i64>>,
    owner_counts: Option<Array<'_, i32>>,
    display_names: Option<Array<'_, &str>>,
    logins: Option<Array<'_, &str>>,
    verifiers: Option<Array<'_, &str>>,
    digest: Option<&str>,
    scope: Option<&str>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(lease_id, Option<String>),
            name!(login, Option<String>),
            name!(password, Option<String>),
            name!(ttl_seconds, Option<i64>),
            name!(max_ttl_seconds, Option<i64>),
            name!(issued_at, Option<TimestampWithTimeZone>),
            name!(expires_at, Option<TimestampWithTimeZone>),
            name!(sqlstate, Option<String>),
            name!(message, Option<String>),
        ),
    >,
    ErrorReport,
> {
    verb(|db, caller| {
        let ids = need("request_ids", request_ids)?;
        let count = ids.len();
        let ids = texts_beside("request_ids", Some(ids), count)?;
        let ttls = lengths_beside("ttls", ttls, count)?;
        let max_ttls = lengths_beside("max_ttls", max_ttls, count)?;
        let caps = lengths_beside("caps", caps, count)?;
        let names = texts_beside("display_names", display_names, count)?;
        let logins = texts_beside("logins", logins, count)?;
        let verifiers = texts_beside("verifiers", verifiers, count)?;
        let owners = claims(owners, owner_ttls, owner_revisions)?;
        let chains = chains(owners, owner_counts, count)?;
        let batch = Batch {
            role: need("role", role)?,
            digest,
            scope,
        };
        let asks: Vec<Ask<'_>> = (0..count)
            .map(|at| Ask {
                wish: Wish {
                    ttl_us: ttls[at],
                    max_us: max_ttls[at],
                },
                cap_us: caps[at],
                owners: &chains[at],
                display_name: names[at].as_deref(),
                login: logins[at].as_deref(),
                verifier: verifiers[at].as_deref(),
                request_id: ids[at].as_deref(),
            })
            .collect();
        let issued = issue::all(db, caller, &batch, &asks)?;
        Ok(TableIterator::new((1..).zip(issued).map(
            |(ordinal, one)| match one {
                Ok(issued) => {
                    let seconds = |end: i64| Some((end - issued.issued_at) / SECOND_US);
                    (
                        ordinal,
                        Some(issued.lease_id),
                        issued.login,
                        issued.password.map(|password| String::clone(&password)),
                        seconds(issued.ends.expires_at),
                        seconds(issued.ends.max_expires_at),
                        Some(time::instant(issued.issued_at)),
                        Some(time::instant(issued.ends.expires_at)),
                        None,
                        None,
                    )
                }
                Err(fault) => {
                    let (state, message) = (fault.state().to_string(), fault.to_string());
                    (
                        ordinal,
                        None,
                        None,
                        None,
                        None,
                        None,
                        None,
                        None,
                        Some(state),
                        Some(message),
                    )
                }
            },
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

/// One chain: each owner's parent is the next one.
fn chain(
    owners: Option<Array<'_, &str>>,
    ttls: Option<Array<'_, Interval>>,
    revisions: Option<Array<'_, i64>>,
) -> Result<Vec<Claim>, Fault> {
    Ok(linked(claims(owners, ttls, revisions)?))
}

/// Chains that stand one behind the other: so many owners for each of `count` requests.
fn chains(
    mut owners: Vec<Claim>,
    counts: Option<Array<'_, i32>>,
    count: usize,
) -> Result<Vec<Vec<Claim>>, Fault> {
    let counts: Vec<usize> = match counts {
        None => vec![0; count],
        Some(counts) => counts
            .iter()
            .map(|count| usize::try_from(count.unwrap_or(0)).unwrap_or(usize::MAX))
            .collect(),
    };
    let all = counts
        .iter()
        .fold(0_usize, |sum, one| sum.saturating_add(*one));
    if counts.len() != count || all != owners.len() {
        return Err(Fault::argument(
            "owner_counts does not say how many of the owners belong to each request",
            "Give one count for each request; their sum is the number of owners.",
        ));
    }
    Ok(counts
        .iter()
        .map(|count| linked(owners.drain(..*count).collect()))
        .collect())
}

fn linked(mut chain: Vec<Claim>) -> Vec<Claim> {
    for at in 1..chain.len() {
        chain[at - 1].parent = Some(chain[at].owner.clone());
    }
    chain
}

/// Three lists side by side; no owner has a parent yet.
fn claims(
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
        .into_iter()
        .enumerate()
        .map(|(at, owner)| Claim {
            owner,
            parent: None,
            ttl_us: ttls.get(at).copied().flatten(),
            revision: revisions.get(at).copied().flatten().unwrap_or(0),
        })
        .collect())
}
