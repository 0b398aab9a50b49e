//! Reads that every request makes, gathered: those that wait for a connection go in one statement.
//!
//! A statement begins after each of its members has asked, so each has read in its own request.

use std::future::Future;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use super::callers::{self, Claim, Found};
use super::installation::{self, Installation};
use super::leases::{self, LeaseRow, RoleMark};
use super::mounts;
use super::roles::{self, RoleAndConfig};
use super::tokens;
use crate::gather::{self, Gather};
use crate::logical::{Guess, TokenRow};
use crate::mount::MountTable;
use crate::recent::Recent;
use crate::warm::{self, Lent, Warm};

/// A read takes a millisecond; one that takes so long has nobody any more who would answer it. All who wait go behind it.
const READ_WITHIN: Duration = Duration::from_secs(15);

type Read<Q, A> = Arc<Gather<Q, sqlx::Result<A>>>;
type RoleName = (Uuid, String);
/// Whether who is said to ask does; a lease, and the mark of its role if that is still there.
type MarkedLease = (bool, Option<(LeaseRow, Option<RoleMark>)>);
/// A lease, and its role if that is still there.
type LeaseWithRole = (LeaseRow, Option<RoleAndConfig>);

/// What a request begins with: who asks, if its token lives, and all mounts, at one moment.
pub struct Front {
    /// The token, if it lives. Not a use of it.
    pub found: Option<Found>,
    /// Where paths lead.
    pub mounts: Arc<MountTable>,
    /// The mark of these mounts.
    pub mounts_revision: Uuid,
}

/// Where reads come together.
pub struct Reads {
    store: Warm,
    fronts: Read<Option<Vec<u8>>, (Uuid, Option<Found>)>,
    roles: Read<RoleName, Option<RoleAndConfig>>,
    leases: Read<String, Option<LeaseRow>>,
    marked_leases: Read<(String, Option<Claim>), MarkedLease>,
    tokens: Read<Vec<u8>, Option<TokenRow>>,
    /// All mounts, and the mark under which they were read.
    mounts: RwLock<(Uuid, Arc<MountTable>)>,
    /// What was read last; never counts by itself.
    last_roles: Recent<RoleName, RoleAndConfig>,
    last_callers: Recent<Vec<u8>, Found>,
}

impl Reads {
    /// Through these connections.
    pub fn new(store: Warm) -> Self {
        Reads {
            store,
            fronts: Gather::new(gather::AT_MOST),
            roles: Gather::new(gather::AT_MOST),
            leases: Gather::new(gather::AT_MOST),
            marked_leases: Gather::new(gather::AT_MOST),
            tokens: Gather::new(gather::AT_MOST),
            mounts: RwLock::default(),
            last_roles: Recent::default(),
            last_callers: Recent::default(),
        }
    }

    /// A token by its hash, with the marks of its policies, and the mounts.
    pub async fn front(&self, token_hash: Option<Vec<u8>>) -> sqlx::Result<Front> {
        let found = gathered(
            &self.fronts,
            &self.store,
            token_hash,
            |mut store, asked| async move {
                let mut hashes: Vec<Vec<u8>> = asked.iter().flatten().cloned().collect();
                hashes.sort_unstable();
                hashes.dedup();
                let (mounts, found) = callers::services(&mut *store, &hashes).await?;
                store.keep();
                let of = |hash: &Vec<u8>| found.iter().find(|one| one.identity.token_hash == *hash);
                let of = |hash: &Option<Vec<u8>>| (mounts, hash.as_ref().and_then(of).cloned());
                Ok(asked.iter().map(of).collect())
            },
        );
        let (revision, found) = found.await?;
        let (mounts_revision, mounts) = self.mounts_at(revision).await?;
        Ok(Front {
            found,
            mounts,
            mounts_revision,
        })
    }

    /// Keeps who was found for [`Reads::caller_as_read_last`], where that may be asked for.
    pub fn remember_caller(&self, found: &Found) {
        self.last_callers
            .keep(found.identity.token_hash.clone(), found.clone());
    }

    /// Who this token was when that was kept: a guess, for who has it proved before anything comes of it.
    pub fn caller_as_read_last(&self, token_hash: &Vec<u8>) -> Option<Found> {
        self.last_callers.get(token_hash)
    }

    /// The mounts as they were at this mark, or later.
    async fn mounts_at(&self, revision: Uuid) -> sqlx::Result<(Uuid, Arc<MountTable>)> {
        let known = self.known_mounts();
        if known.0 == revision {
            return Ok(known);
        }
        let (revision, table) = self.alone(async |store| mounts::table(store).await).await?;
        let table = Arc::new(table);
        let mut known = self
            .mounts
            .write()
            .unwrap_or_else(|broken| broken.into_inner());
        *known = (revision, table.clone());
        Ok((revision, table))
    }

    /// All mounts as they were read last, and their mark: for a guess, too.
    pub fn known_mounts(&self) -> (Uuid, Arc<MountTable>) {
        self.mounts
            .read()
            .unwrap_or_else(|broken| broken.into_inner())
            .clone()
    }

    /// Who this store is, and how its keys are kept.
    pub async fn installation(&self) -> sqlx::Result<Installation> {
        self.alone(async |store| installation::read(store).await)
            .await
    }

    /// Reads what is not asked for often enough to be gathered.
    async fn alone<T>(
        &self,
        read: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
    ) -> sqlx::Result<T> {
        self.store
            .lend(READ_WITHIN, |mut lent| async move {
                let found = read(&mut lent).await?;
                lent.keep();
                Ok(found)
            })
            .await
    }

    /// A role with the live configuration it names.
    pub async fn role(&self, mount_id: Uuid, name: &str) -> sqlx::Result<Option<RoleAndConfig>> {
        let role = (mount_id, name.to_owned());
        let found = gathered(
            &self.roles,
            &self.store,
            role.clone(),
            |mut store, roles| async move {
                // Each once, however many ask for it.
                let mut names = roles.clone();
                names.sort_unstable();
                names.dedup();
                let found = roles::with_configs(&mut *store, &names).await?;
                store.keep();
                let of = |name| found[names.binary_search(name).ok()?].clone();
                Ok(roles.iter().map(of).collect())
            },
        )
        .await?;
        match &found {
            Some(found) => self.last_roles.keep(role, found.clone()),
            None => self.last_roles.forget(&role),
        }
        Ok(found)
    }

    /// The same as it was read last, by whatever request: a guess, for who has it proved before anything comes of it.
    pub fn role_as_read_last(&self, mount_id: Uuid, name: &str) -> Option<RoleAndConfig> {
        self.last_roles.get(&(mount_id, name.to_owned()))
    }

    /// All of a token, by its hash, if it lives. Not a use of it.
    pub async fn token(&self, token_hash: Vec<u8>) -> sqlx::Result<Option<TokenRow>> {
        gathered(
            &self.tokens,
            &self.store,
            token_hash,
            |mut store, hashes| async move {
                let found = tokens::by_hashes(&mut *store, &hashes).await?;
                store.keep();
                let of = |hash: &Vec<u8>| found.iter().find(|(of, _)| of == hash);
                let of = |hash| of(hash).map(|(_, row)| row.clone());
                Ok(hashes.iter().map(of).collect())
            },
        )
        .await
    }

    /// A lease as [`Reads::lease`] finds it, and its role with the live configuration that it names. Where it is asked for on
    /// a guess, that is proved in the same moment, or nothing is found.
    pub async fn lease_with_role(
        &self,
        lease_id: &str,
        guess: Option<&Guess>,
    ) -> sqlx::Result<Option<LeaseWithRole>> {
        let claim = guess.map(|guess| (guess.token_id(), guess.mark().to_owned()));
        let found = gathered(
            &self.marked_leases,
            &self.store,
            (lease_id.to_owned(), claim),
            |mut store, asked| async move {
                let (ids, claims): (Vec<String>, Vec<Option<Claim>>) = asked.into_iter().unzip();
                let (found, proven) =
                    leases::find_all_with_marks(&mut *store, &ids, &claims).await?;
                store.keep();
                let of = |id: &String| found.iter().find(|(lease, _)| lease.lease_id == *id);
                Ok(ids
                    .iter()
                    .zip(&claims)
                    .map(|(id, claim)| {
                        let holds = claim.as_ref().is_none_or(|claim| proven.contains(claim));
                        (holds, of(id).cloned())
                    })
                    .collect())
            },
        );
        let (holds, found) = found.await?;
        if !holds {
            return Ok(None);
        }
        if let Some(guess) = guess {
            guess.prove();
        }
        let Some((lease, mark)) = found else {
            return Ok(None);
        };
        let Some(mark) = mark else {
            return Ok(Some((lease, None)));
        };
        // The mark was read in this request; what was read before under the same mark is the same.
        let known = self
            .role_as_read_last(lease.mount_id, &lease.role)
            .filter(|known| mark_of(known) == mark);
        let role = match known {
            Some(known) => Some(known),
            None => self.role(lease.mount_id, &lease.role).await?,
        };
        Ok(Some((lease, role)))
    }

    /// A lease. None: unknown, of a token that has ended, or dropped from sight by force.
    pub async fn lease(&self, lease_id: &str) -> sqlx::Result<Option<LeaseRow>> {
        let id = lease_id.to_owned();
        gathered(&self.leases, &self.store, id, |mut store, ids| async move {
            let found = leases::find_all(&mut *store, &ids).await?;
            store.keep();
            let of = |id: &String| found.iter().find(|lease| lease.lease_id == *id);
            Ok(ids.iter().map(|id| of(id).cloned()).collect())
        })
        .await
    }
}

fn mark_of((role, config): &RoleAndConfig) -> RoleMark {
    RoleMark {
        revision: role.revision,
        config: config
            .as_ref()
            .map(|config| (config.config_id, config.revision, config.target_id)),
    }
}

/// Asks with others, and alone where a statement for all has failed, so that each hears of its own failure. A pool that had
/// no connection in time has none for them either, and a store that kept silent has no answer.
async fn gathered<Q, A, Running>(
    read: &Read<Q, A>,
    store: &Warm,
    question: Q,
    all: fn(Lent, Vec<Q>) -> Running,
) -> sqlx::Result<A>
where
    Q: Clone + Send + 'static,
    A: Send + 'static,
    Running: Future<Output = sqlx::Result<Vec<A>>> + Send + 'static,
{
    let here = store.clone();
    let run = move |questions: Vec<Q>| {
        let (count, store) = (questions.len(), here.clone());
        async move {
            match store.lend(READ_WITHIN, |lent| all(lent, questions)).await {
                Ok(found) => found.into_iter().map(|one| Some(Ok(one))).collect(),
                Err(error) => (0..count).map(|_| warm::silence(&error).map(Err)).collect(),
            }
        }
    };
    if let Some(found) = read.ask(question.clone(), |_, _| true, run).await {
        return found;
    }
    let alone = store
        .lend(READ_WITHIN, |lent| all(lent, vec![question]))
        .await?;
    alone.into_iter().next().ok_or(sqlx::Error::RowNotFound)
}
