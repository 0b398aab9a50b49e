//! Reads that every request makes, gathered: those that wait for a connection go in one statement.
//!
//! A statement begins after each of its members has asked, so each has read in its own request.

use std::future::Future;
use std::sync::Arc;

use sqlx::PgPool;
use uuid::Uuid;

use super::callers::{self, Found};
use super::database::{self, ConfigRow, RoleRow};
use super::leases::{self, LeaseRow};
use super::mounts;
use crate::gather::{Gather, Limits};
use crate::mount::{Mount, MountKind};

/// Two at once: while one is answered the next is asked.
const LIMITS: Limits = Limits {
    runners: 2,
    batch: 128,
};

type Read<Q, A> = Arc<Gather<Q, sqlx::Result<Option<A>>>>;
type RoleName = (Uuid, String);
type RoleAndConfig = (RoleRow, Option<ConfigRow>);

/// Where reads come together.
pub struct Reads {
    tokens: Read<Vec<u8>, Found>,
    mounts: Read<(MountKind, String), Mount>,
    roles: Read<RoleName, RoleAndConfig>,
    leases: Read<String, LeaseRow>,
}

impl Default for Reads {
    fn default() -> Self {
        Reads {
            tokens: Gather::new(LIMITS),
            mounts: Gather::new(LIMITS),
            roles: Gather::new(LIMITS),
            leases: Gather::new(LIMITS),
        }
    }
}

impl Reads {
    /// As [`callers::service`], with the revisions of the token's policies.
    pub async fn token(&self, store: &PgPool, token_hash: &[u8]) -> sqlx::Result<Option<Found>> {
        let found = gathered(
            &self.tokens,
            store,
            token_hash.to_vec(),
            |store, hashes| async move {
                let found = callers::services(&store, &hashes).await?;
                let of = |hash: &Vec<u8>| found.iter().find(|one| one.identity.token_hash == *hash);
                Ok(hashes.iter().map(|hash| of(hash).cloned()).collect())
            },
        );
        match found.await {
            Some(found) => found,
            None => callers::service(store, token_hash).await,
        }
    }

    /// As [`mounts::covering`].
    pub async fn mount(
        &self,
        store: &PgPool,
        kind: MountKind,
        below: &str,
    ) -> sqlx::Result<Option<Mount>> {
        let path = (kind, below.to_owned());
        let found = gathered(&self.mounts, store, path, |store, paths| async move {
            mounts::covering_all(&store, &paths).await
        });
        match found.await {
            Some(found) => found,
            None => mounts::covering(store, kind, below).await,
        }
    }

    /// A role with the live configuration it names.
    pub async fn role(
        &self,
        store: &PgPool,
        mount_id: Uuid,
        name: &str,
    ) -> sqlx::Result<Option<RoleAndConfig>> {
        let role = (mount_id, name.to_owned());
        let found = gathered(
            &self.roles,
            store,
            role.clone(),
            |store, roles| async move { database::roles_with_configs(&store, &roles).await },
        );
        match found.await {
            Some(found) => found,
            None => Ok(database::roles_with_configs(store, &[role])
                .await?
                .into_iter()
                .flatten()
                .next()),
        }
    }

    /// As [`leases::find`].
    pub async fn lease(&self, store: &PgPool, lease_id: &str) -> sqlx::Result<Option<LeaseRow>> {
        let id = lease_id.to_owned();
        let found = gathered(&self.leases, store, id, |store, ids| async move {
            let found = leases::find_all(&store, &ids).await?;
            let of = |id: &String| found.iter().find(|lease| lease.lease_id == *id);
            Ok(ids.iter().map(|id| of(id).cloned()).collect())
        });
        match found.await {
            Some(found) => found,
            None => leases::find(store, lease_id).await,
        }
    }
}

/// None: the statement failed, and each should ask alone and hear of its own failure. A pool that had no connection in time
/// has none for them either.
async fn gathered<Q, A, Running>(
    read: &Read<Q, A>,
    store: &PgPool,
    question: Q,
    all: fn(PgPool, Vec<Q>) -> Running,
) -> Option<sqlx::Result<Option<A>>>
where
    Q: Send + 'static,
    A: Send + 'static,
    Running: Future<Output = sqlx::Result<Vec<Option<A>>>> + Send + 'static,
{
    let store = store.clone();
    let run = move |questions: Vec<Q>| {
        let count = questions.len();
        let running = all(store.clone(), questions);
        async move {
            match running.await {
                Ok(found) => found.into_iter().map(|one| Some(Ok(one))).collect(),
                Err(sqlx::Error::PoolTimedOut) => (0..count)
                    .map(|_| Some(Err(sqlx::Error::PoolTimedOut)))
                    .collect(),
                Err(_) => (0..count).map(|_| None).collect(),
            }
        }
    };
    read.ask(question, |_, _| true, run).await
}
