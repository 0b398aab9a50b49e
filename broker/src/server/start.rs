//! Start and end of a server within a process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Settings, unseal as by_itself};
use crate::core::Core;
use crate::engine::system::{init, unseal};
use crate::http::{Listener, Listening};
use crate::logical::Fault;
use crate::seal::{KeySource, KeySourceError, Keys, RootKey, Unsealing};
use crate::secret::Token;
use crate::store::growth::Growth;
use crate::store::new_tokens::NewTokens;
use crate::store::reads::Reads;
use crate::store::{self, StoreError, installation};
use crate::tasks::Tasks;

/// The server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The root key.
    #[error(transparent)]
    Key(#[from] KeySourceError),
    /// Unsealing with the key that was found.
    #[error("the store can not be unsealed with the root key given: {0}")]
    Unseal(Fault),
    /// An address.
    #[error("can not listen on {address}: {source}")]
    Listen {
        /// As configured.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// Initialising.
    #[error("the store can not be initialised: {0}")]
    Init(Fault),
}

/// How long the store's connections may take to be closed: one that keeps silent is no reason to stay.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);

/// A server that serves.
pub struct Running {
    core: Arc<Core>,
    listening: Vec<Listening>,
    grace: Duration,
}

impl Running {
    /// Where the first listener serves.
    pub fn address(&self) -> SocketAddr {
        self.listening[0].address()
    }

    /// What it serves with.
    pub fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Accepts no more, lets requests finish within the grace, then what they left to tasks within another one, and closes
    /// the store; what takes longer is dropped.
    pub async fn shutdown(self) {
        let mut ending = tokio::task::JoinSet::new();
        for listening in self.listening {
            ending.spawn(listening.shut_down(self.grace));
        }
        while ending.join_next().await.is_some() {}
        self.core.tasks.finish(self.grace).await;
        self.core.warm.release();
        let closed = tokio::time::timeout(CLOSED_WITHIN, self.core.store.close()).await;
        if closed.is_err() {
            tracing::warn!("gave up waiting for the store's connections");
        }
    }
}

/// Connects to the store (waiting for it), brings its schema up to date, unseals if the root key has a source of its own, and serves.
/// Such a server unseals by itself, too, when its store is initialised later.
pub async fn start(settings: Settings) -> Result<Running, StartError> {
    if settings.listen_addresses.is_empty() {
        return Err(StartError::Listen {
            address: String::new(),
            source: std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "no address is configured",
            ),
        });
    }
    let pool = store::connect(&settings.connection_url, settings.connections_max).await?;
    store::migrate(&pool).await.map_err(StoreError::from)?;
    installation::ensure(&pool, &settings.cluster_name)
        .await
        .map_err(StoreError::from)?;
    let installation = installation::read(&pool).await.map_err(StoreError::from)?;
    let warm = store::warm(&pool);
    let core = Arc::new(Core {
        growth: Growth::new(pool.clone()),
        store: pool,
        warm: warm.clone(),
        store_id: installation.store_id,
        keys: Keys::default(),
        unsealing: Unsealing::default(),
        key_source: settings.key_source,
        settings: settings.core,
        tasks: Tasks::default(),
        policies: Default::default(),
        targets: Default::default(),
        errands: Default::default(),
        ready: Default::default(),
        intents: Default::default(),
        renewals: Default::default(),
        new_tokens: NewTokens::new(warm.clone()),
        reads: Reads::new(warm),
    });
    if installation.is_initialised()
        && let Some(root_key) = core.key_source.fetch()?
    {
        unseal::open(&core, &installation, &root_key).map_err(StartError::Unseal)?;
    }
    let mut listening = Vec::new();
    for address in settings.listen_addresses {
        let failed = |source| StartError::Listen {
            address: address.clone(),
            source,
        };
        let found = tokio::net::lookup_host(&address)
            .await
            .map_err(failed)?
            .next();
        let found = found.ok_or_else(|| failed(std::io::ErrorKind::AddrNotAvailable.into()))?;
        let listener = Listener::bind(found).await.map_err(failed)?;
        listening.push(listener.serve(core.clone()).map_err(failed)?);
    }
    let running = Running {
        core,
        listening,
        grace: settings.shutdown_grace,
    };
    running
        .core
        .tasks
        .spawn(crate::lease::work(running.core.clone()));
    running
        .core
        .tasks
        .spawn(by_itself::when_initialised(running.core.clone()));
    tracing::info!(address = %running.address(), sealed = running.core.keys.is_sealed(), "serving");
    Ok(running)
}

/// Makes a new store ready by itself: initialised with this root token and unsealed. None if it was initialised before.
///
/// With [`KeySource::File`] a key file that is not there is made, and a later [`start`] unseals by itself; with [`KeySource::Shares`] nobody
/// could unseal the store again, which is what throw-away stores want.
pub async fn initialise_and_unseal(
    core: &Core,
    root_token: Option<Token>,
) -> Result<Option<Token>, StartError> {
    let before = installation::read(&core.store)
        .await
        .map_err(StoreError::from)?;
    if before.is_initialised() {
        return Ok(None);
    }
    let options = init::InitOptions {
        shares: 1,
        threshold: 1,
        root_token,
    };
    let done = init::initialise(core, options)
        .await
        .map_err(StartError::Init)?;
    if core.key_source == KeySource::Shares {
        let root_key = done
            .shares
            .first()
            .and_then(|share| RootKey::from_bytes(share));
        let root_key =
            root_key.ok_or_else(|| StartError::Init(Fault::internal("no key was made")))?;
        let installation = installation::read(&core.store)
            .await
            .map_err(StoreError::from)?;
        unseal::open(core, &installation, &root_key).map_err(StartError::Unseal)?;
    }
    Ok(Some(done.root_token))
}
