//! Who a token is and what its policies allow: both read from the store in the request that asks.
//!
//! Parsed policies are remembered by name and mark, and count only if that mark was read just now.

use std::collections::HashMap;
use std::sync::Arc;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::core::Core;
use crate::logical::{Access, BatchClaims, Call, Fault, Guess, Operation, Request};
use crate::policy::{Acl, Policy, Query, ROOT, Verdict};
use crate::recent::Recent;
use crate::secret::Token;
use crate::store::callers::{self, Found};
use crate::store::policies::{self, Version};
use crate::store::reads::Front;

/// Parsed policies, and merged sets of them.
#[derive(Default)]
pub struct PolicyCache {
    parsed: Recent<Version, Arc<Policy>>,
    merged: Recent<Vec<Version>, Arc<Acl>>,
}

/// The rules of these policies as they are now. Names without a policy grant nothing.
pub async fn acl(core: &Core, names: &[String]) -> Result<Arc<Acl>, Fault> {
    let now = OffsetDateTime::now_utc();
    if names.iter().any(|name| name == ROOT) {
        return Ok(Arc::new(Acl::new([&Policy::root()], now)));
    }
    let versions = policies::versions(&core.store, names).await?;
    acl_at(core, versions, now).await
}

/// The rules of a token's policies, at the versions that were read with it in this request.
pub async fn acl_of(core: &Core, found: &Found) -> Result<Arc<Acl>, Fault> {
    let policies = &found.identity.policies;
    match &found.versions {
        Some(versions) if policies.iter().all(|name| name != ROOT) => {
            acl_at(core, versions.clone(), OffsetDateTime::now_utc()).await
        }
        _ => acl(core, policies).await,
    }
}

async fn acl_at(
    core: &Core,
    versions: Vec<Version>,
    now: OffsetDateTime,
) -> Result<Arc<Acl>, Fault> {
    if let Some(acl) = core.policies.merged.get(&versions) {
        return Ok(acl);
    }
    let missing: Vec<String> = versions
        .iter()
        .filter(|version| core.policies.parsed.get(version).is_none())
        .map(|(name, _)| name.clone())
        .collect();
    let mut parsed = Vec::with_capacity(versions.len());
    let mut fresh: HashMap<Version, Arc<Policy>> = HashMap::new();
    if !missing.is_empty() {
        for row in policies::rows(&core.store, &missing).await? {
            let policy = Policy::parse(&row.name, &row.text).map_err(|error| {
                Fault::internal(format!(
                    "the stored policy {:?} can not be read: {error}",
                    row.name
                ))
            })?;
            let policy = Arc::new(policy);
            let version = (row.name, row.mark);
            core.policies.parsed.keep(version.clone(), policy.clone());
            fresh.insert(version, policy);
        }
    }
    for version in &versions {
        match fresh
            .get(version)
            .cloned()
            .or_else(|| core.policies.parsed.get(version))
        {
            Some(policy) => parsed.push(policy),
            // Rewritten between the two reads: take the newer text. Deleted: it grants nothing.
            None => parsed.extend(
                fresh
                    .iter()
                    .find(|((name, _), _)| *name == version.0)
                    .map(|(_, policy)| policy.clone()),
            ),
        }
    }
    let acl = Arc::new(Acl::new(parsed.iter().map(Arc::as_ref), now));
    let lasting = parsed
        .iter()
        .all(|policy| policy.rules.iter().all(|rule| rule.expires_at.is_none()));
    if lasting
        && parsed.len() == versions.len()
        && fresh.keys().all(|version| versions.contains(version))
    {
        core.policies.merged.keep(versions, acl.clone());
    }
    Ok(acl)
}

/// What these rules say of a request, as it was sent.
pub fn verdict(acl: &Acl, request: &Request) -> Verdict {
    verdict_on(acl, request, &request.path, request.operation)
}

fn verdict_on(acl: &Acl, request: &Request, path: &str, operation: Operation) -> Verdict {
    acl.decide(&Query {
        path,
        operation,
        data: (!request.body.is_empty()).then_some(&request.body),
        wrap_ttl: request.wrap_ttl,
    })
}

/// Judges a request once more, where what it names is known by another path (below `/v1/`) than the one that was sent: what
/// rules withhold there is not to be had in other words. Refused is 403, as at the request's own path.
pub fn judge_at(call: &Call<'_>, path: &str, access: Access) -> Result<(), Fault> {
    if path == call.request.path {
        return Ok(());
    }
    let verdict = verdict_on(
        &call.caller().acl,
        call.request,
        path,
        call.request.operation,
    );
    passed(verdict, access)
}

/// Judges a write once more, by whether what it names is there now: it may have come or gone since the caller was judged.
/// Refused is 403.
pub fn judge_write(call: &Call<'_>, is_there: bool, access: Access) -> Result<(), Fault> {
    let operation = match is_there {
        true => Operation::Update,
        false => Operation::Create,
    };
    if operation == call.request.operation {
        return Ok(());
    }
    let verdict = verdict_on(
        &call.caller().acl,
        call.request,
        &call.request.path,
        operation,
    );
    passed(verdict, access)
}

/// What a verdict comes to at an endpoint. Refused is 403, in the form that tokens without rights see.
pub fn passed(verdict: Verdict, access: Access) -> Result<(), Fault> {
    if verdict.allowed && (verdict.sudo || access != Access::Sudo) {
        Ok(())
    } else {
        Err(Fault::denied())
    }
}

/// Who a token is, without counting this as a use. None: unknown, ended, expired, used up.
pub async fn look_up(core: &Core, token: &Token) -> Result<Option<Found>, Fault> {
    let shown = Shown::of(core, Some(token))?;
    Ok(front(core, shown).await?.found)
}

/// What a token of a request can be looked up by: a hash, or claims of its own; neither, if it is none.
#[derive(Default)]
pub struct Shown {
    hash: Option<Vec<u8>>,
    claims: Option<BatchClaims>,
}

impl Shown {
    /// The token of a request, if there is one.
    pub fn of(core: &Core, token: Option<&Token>) -> Result<Self, Fault> {
        Ok(match token {
            Some(token) if BatchClaims::is_form(token) => Shown {
                claims: BatchClaims::decode(&core.keys, token)?,
                ..Shown::default()
            },
            Some(token) if !token.expose().is_empty() => Shown {
                hash: Some(core.keys.token_hash(token)?),
                ..Shown::default()
            },
            _ => Shown::default(),
        })
    }
}

/// Who shows this, if it is anybody that lives, and the mounts at that moment. Not a use of it.
pub async fn front(core: &Core, shown: Shown) -> Result<Front, Fault> {
    let mut front = core.reads.front(shown.hash).await?;
    if let Some(claims) = shown.claims {
        front.found = callers::batch(&core.store, claims).await?;
    }
    Ok(front)
}

/// Who that was when it was kept by [`remember`], for mounts of this mark: a guess.
pub fn guess(core: &Core, shown: &Shown, mounts_revision: Uuid) -> Option<(Found, Guess)> {
    let found = core.reads.caller_as_read_last(shown.hash.as_ref()?)?;
    let guess = Guess::new(found.identity.token_id?, found.mark(mounts_revision)?);
    Some((found, guess))
}

/// Keeps who was just read for guesses. Uses that are counted leave nothing to guess.
pub fn remember(core: &Core, found: &Found) {
    if found.versions.is_some() && found.identity.uses_left.is_none() {
        core.reads.remember_caller(found);
    }
}

/// A use of a token that was just looked up. None: another request took its last one meanwhile.
pub async fn admit(core: &Core, mut found: Found) -> Result<Option<Found>, Fault> {
    if let (Some(_), Some(token_id)) = (found.identity.uses_left, found.identity.token_id) {
        match callers::count_use(&core.store, token_id).await? {
            Some(left) => found.identity.uses_left = Some(left),
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}
