//! `renew`, `renew_leases`, `revoke`, `revoke_leases`, `revoke_prefix`, `revoke_owner`, `owner_ends`, `changes`, `ack_changes`, `inventory`.

use super::args::{lengths_beside, need, texts, texts_beside, verb, wish};
use crate::catalog::time;
use crate::core::ttl::{Wish, left_seconds};
use crate::ffi::{clock, durable, xact};
use crate::lease::owner::{self, Claim};
use crate::lease::renew::{self, Ask, Renewed};
use crate::lease::{changes, inventory, revoke};
use crate::worker::wake;
use pgrx::datum::{Array, Interval, TimestampWithTimeZone};
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{name, pg_extern};

#[pg_extern(sql = false, name = "renew")]
fn renew_lease(
    lease_id: Option<&str>,
    ttl: Option<Interval>,
    max_ttl: Option<Interval>,
    digest: Option<&str>,
    scope: Option<&str>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(ttl_seconds, i64),
            name!(expires_at, TimestampWithTimeZone),
        ),
    >,
    ErrorReport,
> {
    verb(|db, caller| {
        let ask = Ask {
            lease_id: need("lease_id", lease_id)?,
            wish: wish(ttl.as_ref(), max_ttl.as_ref()),
            digest,
        };
        let renewed = renew::one(db, caller, ask, scope)?;
        Ok(TableIterator::once((
            renewed.ends.ttl_seconds(renewed.at),
            time::instant(renewed.ends.expires_at),
        )))
    })
}

#[pg_extern(sql = false)]
#[expect(clippy::type_complexity, reason = "the columns of the SQL function")]
fn renew_leases(
    lease_ids: Option<Array<'_, &str>>,
    ttls: Option<Array<'_, Interval>>,
    max_ttls: Option<Array<'_, Interval>>,
    digests: Option<Array<'_, &str>>,
    scope: Option<&str>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(ttl_seconds, Option<i64>),
            name!(expires_at, Option<TimestampWithTimeZone>),
            name!(sqlstate, Option<String>),
            name!(message, Option<String>),
        ),
    >,
    ErrorReport,
> {
    verb(|db, caller| {
        let ids = texts("lease_ids", lease_ids)?;
        let ttls = lengths_beside("ttls", ttls, ids.len())?;
        let max_ttls = lengths_beside("max_ttls", max_ttls, ids.len())?;
        let digests = texts_beside("digests", digests, ids.len())?;
        let asks: Vec<Ask<'_>> = ids
            .iter()
            .zip(ttls.iter().zip(&max_ttls))
            .zip(&digests)
            .map(|((lease_id, (ttl_us, max_us)), digest)| Ask {
                lease_id,
                wish: Wish {
                    ttl_us: *ttl_us,
                    max_us: *max_us,
                },
                digest: digest.as_deref(),
            })
            .collect();
        let renewed = renew::all(db, caller, &asks, scope)?;
        Ok(TableIterator::new((1..).zip(renewed).map(
            |(ordinal, one)| match one {
                Ok(Renewed { ends, at }) => (
                    ordinal,
                    Some(ends.ttl_seconds(at)),
                    Some(time::instant(ends.expires_at)),
                    None,
                    None,
                ),
                Err(fault) => (
                    ordinal,
                    None,
                    None,
                    Some(fault.state().to_string()),
                    Some(fault.to_string()),
                ),
            },
        )))
    })
}

#[pg_extern(sql = false, name = "revoke")]
fn revoke_lease(lease_id: Option<&str>, scope: Option<&str>) -> Result<&'static str, ErrorReport> {
    verb(|db, caller| Ok(revoke::lease(db, caller, need("lease_id", lease_id)?, scope)?.as_str()))
}

#[pg_extern(sql = false)]
fn revoke_leases(
    lease_ids: Option<Array<'_, &str>>,
    scope: Option<&str>,
) -> Result<i64, ErrorReport> {
    verb(|db, caller| revoke::leases(db, caller, &texts("lease_ids", lease_ids)?, scope))
}

#[pg_extern(sql = false)]
fn revoke_prefix(
    prefix: Option<&str>,
    at_most: Option<i32>,
    scope: Option<&str>,
) -> Result<i64, ErrorReport> {
    verb(|db, caller| {
        let at_most = i64::from(need("at_most", at_most)?);
        revoke::prefix(db, caller, need("prefix", prefix)?, at_most, scope)
    })
}

#[pg_extern(sql = false)]
fn revoke_owner(owner: Option<&str>, scope: Option<&str>) -> Result<(), ErrorReport> {
    verb(|db, caller| revoke::owner(db, caller, need("owner", owner)?, scope))
}

#[pg_extern(sql = false)]
fn owner_ends(
    owner: Option<&str>,
    parent: Option<&str>,
    ttl: Option<Interval>,
    revision: Option<i64>,
    scope: Option<&str>,
) -> Result<bool, ErrorReport> {
    verb(|db, caller| {
        let scope = caller.one(db, scope)?;
        durable::ensure();
        xact::refuse_prepare();
        let now = clock::wall();
        let ttl_us = ttl.as_ref().map(time::length);
        let claim = Claim {
            owner: need("owner", owner)?.to_owned(),
            parent: parent.map(str::to_owned),
            ttl_us,
            revision: need("revision", revision)?,
        };
        let news = owner::tell(db, scope, &claim, now)?;
        if news && ttl_us.is_some() {
            wake::at_commit(now);
        }
        Ok(news)
    })
}

#[pg_extern(sql = false, name = "changes")]
#[expect(clippy::type_complexity, reason = "the columns of the SQL function")]
fn read_changes(
    at_most: Option<i32>,
    scope: Option<&str>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(id, i64),
            name!(lease_id, String),
            name!(kind, String),
            name!(ttl_seconds, Option<i64>),
            name!(expires_at, Option<TimestampWithTimeZone>),
            name!(cause, Option<String>),
            name!(at, TimestampWithTimeZone),
        ),
    >,
    ErrorReport,
> {
    verb(|db, caller| {
        let changes = changes::read(db, caller, i64::from(need("at_most", at_most)?), scope)?;
        let now = clock::wall();
        Ok(TableIterator::new(changes.into_iter().map(move |change| {
            let left = change.expires_at.filter(|_| change.kind == "renewed");
            (
                change.id,
                change.lease_id,
                change.kind,
                left.map(|end| left_seconds(end, now)),
                change.expires_at.map(time::instant),
                change.cause,
                time::instant(change.at),
            )
        })))
    })
}

#[pg_extern(sql = false)]
fn ack_changes(ids: Option<Array<'_, i64>>, scope: Option<&str>) -> Result<i64, ErrorReport> {
    verb(|db, caller| {
        let ids: Vec<i64> = need("ids", ids)?.iter().flatten().collect();
        changes::acknowledge(db, caller, &ids, scope)
    })
}

#[pg_extern(sql = false, name = "inventory")]
#[expect(clippy::type_complexity, reason = "the columns of the SQL function")]
fn read_inventory(
    after: Option<&str>,
    at_most: Option<i32>,
    scope: Option<&str>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(lease_id, String),
            name!(role, String),
            name!(login, Option<String>),
            name!(owner, Option<String>),
            name!(age_seconds, i64),
            name!(ttl_seconds, i64),
            name!(max_ttl_seconds, i64),
            name!(cap_seconds, Option<i64>),
        ),
    >,
    ErrorReport,
> {
    verb(|db, caller| {
        let at_most = i64::from(need("at_most", at_most)?);
        let leases = inventory::read(db, caller, need("after", after)?, at_most, scope)?;
        let now = clock::wall();
        Ok(TableIterator::new(leases.into_iter().map(move |lease| {
            (
                lease.lease_id,
                lease.role,
                lease.login,
                lease.owner,
                left_seconds(now, lease.issued_at),
                left_seconds(lease.expires_at, now),
                left_seconds(lease.max_expires_at, lease.issued_at),
                lease.cap_at.map(|cap| left_seconds(cap, lease.issued_at)),
            )
        })))
    })
}
