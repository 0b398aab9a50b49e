//! Who a token is and what its policies allow: both read from the store in the request that asks.
//!
//! Parsed policies are remembered by name and revision, and count only if that revision was read just now.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use time::OffsetDateTime;

use crate::core::Core;
use crate::logical::{BatchClaims, Fault, Guess};
use crate::policy::{Acl, Policy, ROOT};
use crate::secret::Token;
use crate::store::callers::{self, Found};
use crate::store::policies;
use crate::store::reads::Front;

/// Name and revision: one text for ever.
type Version = (String, i64);

/// Parsed policies, and merged sets of them. Bounded: emptied when full, as what is in use comes back at once.
#[derive(Default)]
pub struct PolicyCache {
    parsed: RwLock<HashMap<Version, Arc<Policy>>>,
    merged: RwLock<HashMap<Vec<Version>, Arc<Acl>>>,
}

const CACHED_MAX: usize = 4_096;

impl PolicyCache {
    fn parsed(&self, version: &Version) -> Option<Arc<Policy>> {
        let parsed = self
            .parsed
            .read()
            .unwrap_or_else(|broken| broken.into_inner());
        parsed.get(version).cloned()
    }

    fn keep_parsed(&self, version: Version, policy: Arc<Policy>) {
        let mut parsed = self
            .parsed
            .write()
            .unwrap_or_else(|broken| broken.into_inner());
        if parsed.len() >= CACHED_MAX {
            parsed.clear();
        }
        parsed.insert(version, policy);
    }

    fn merged(&self, versions: &[Version]) -> Option<Arc<Acl>> {
        let merged = self
            .merged
            .read()
            .unwrap_or_else(|broken| broken.into_inner());
        merged.get(versions).cloned()
    }

    fn keep_merged(&self, versions: Vec<Version>, acl: Arc<Acl>) {
        let mut merged = self
            .merged
            .write()
            .unwrap_or_else(|broken| broken.into_inner());
        if merged.len() >= CACHED_MAX {
            merged.clear();
        }
        merged.insert(versions, acl);
    }
}

/// The rules of these policies as they are now. Names without a policy grant nothing.
pub async fn acl(core: &Core, names: &[String]) -> Result<Arc<Acl>, Fault> {
    let now = OffsetDateTime::now_utc();
    if names.iter().any(|name| name == ROOT) {
        return Ok(Arc::new(Acl::new([&Policy::root()], now)));
    }
    let versions = policies::revisions(&core.store, names).await?;
    acl_at(core, versions, now).await
}

/// The rules of a token's policies, at the revisions that were read with it in this request.
pub async fn acl_of(core: &Core, found: &Found) -> Result<Arc<Acl>, Fault> {
    let policies = &found.identity.policies;
    match &found.revisions {
        Some(revisions) if policies.iter().all(|name| name != ROOT) => {
            acl_at(core, revisions.clone(), OffsetDateTime::now_utc()).await
        }
        _ => acl(core, policies).await,
    }
}

async fn acl_at(
    core: &Core,
    versions: Vec<Version>,
    now: OffsetDateTime,
) -> Result<Arc<Acl>, Fault> {
    if let Some(acl) = core.policies.merged(&versions) {
        return Ok(acl);
    }
    let missing: Vec<String> = versions
        .iter()
        .filter(|version| core.policies.parsed(version).is_none())
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
            let version = (row.name, row.revision);
            core.policies.keep_parsed(version.clone(), policy.clone());
            fresh.insert(version, policy);
        }
    }
    for version in &versions {
        match fresh
            .get(version)
            .cloned()
            .or_else(|| core.policies.parsed(version))
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
        core.policies.keep_merged(versions, acl.clone());
    }
    Ok(acl)
}

/// Who a token is, without counting this as a use. None: unknown, ended, expired, used up.
pub async fn look_up(core: &Core, token: &Token) -> Result<Option<Found>, Fault> {
    Ok(front(core, Some(token)).await?.found)
}

/// The same for the token of a request, if there is one, together with the mounts at that moment.
pub async fn front(core: &Core, token: Option<&Token>) -> Result<Front, Fault> {
    let token = token.filter(|token| !token.expose().is_empty());
    let batch = token.filter(|token| BatchClaims::is_form(token));
    let mut front = core.reads.front(hash(core, token)?).await?;
    if let Some(token) = batch
        && let Some(claims) = BatchClaims::decode(&core.keys, token)?
    {
        front.found = callers::batch(&core.store, claims).await?;
    }
    Ok(front)
}

/// The same as it was read last, if that was kept by [`remember`]: a guess.
pub fn guess(core: &Core, token: Option<&Token>) -> Result<Option<(Front, Guess)>, Fault> {
    let Some(hash) = hash(core, token)? else {
        return Ok(None);
    };
    let Some(front) = core.reads.front_as_read_last(&hash) else {
        return Ok(None);
    };
    let guess = front.found.as_ref().and_then(|found| {
        let mark = found.mark(front.mounts_revision)?;
        Some(Guess::new(found.identity.token_id?, mark))
    });
    Ok(guess.map(|guess| (front, guess)))
}

/// Keeps what was just read for guesses. Uses that are counted leave nothing to guess.
pub fn remember(core: &Core, front: &Front) {
    if let Some(found) = &front.found
        && found.revisions.is_some()
        && found.identity.uses_left.is_none()
    {
        core.reads.remember_caller(found);
    }
}

/// The hash of a token that has a row.
fn hash(core: &Core, token: Option<&Token>) -> Result<Option<Vec<u8>>, Fault> {
    match token {
        Some(token) if !token.expose().is_empty() && !BatchClaims::is_form(token) => {
            Ok(Some(core.keys.token_hash(token)?))
        }
        _ => Ok(None),
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
