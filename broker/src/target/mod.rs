//! The only caller of `leasehold.*` on a target: connections by configuration, verification, and one function a verb.
//!
//! Not here: what the broker's store knows, who may ask, and how a login is made or removed (that is the extension's).
//! A [`Target`] is reached through one configuration; the pool behind it refuses any server that is not the installation
//! the configuration was verified against, and shows it the scope's key on every new connection.

mod call;
mod connect;
pub mod connection_string;
mod details;
mod error;
mod greeting;
mod knock;
mod scope;
mod tls;
mod verb;
mod verify;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::warm::Warm;

pub use details::{ConnectionDetails, redacted};
pub use error::{Refusal, TargetError};
pub use scope::Scope;
pub use verb::{
    Change, ChangeKind, Ended, Held, Issue, LeaseState, Outcome, Owner, Recipe, Settled,
};
pub use verify::{Verified, verify};

/// A recipe as this process last defined it.
#[derive(Clone, Debug)]
struct Defined {
    revision: i64,
    digest: String,
}

struct Inner {
    target_id: Uuid,
    scope: Scope,
    warm: Warm,
    address: String,
    knock: knock::Knock,
    greetings: Arc<greeting::Greetings>,
    recipes: Mutex<HashMap<String, Defined>>,
    issues: Arc<verb::Together>,
    renewals: Arc<verb::Renewals>,
    statements: Semaphore,
}

/// A handle on one target through one configuration. Cheap to clone.
#[derive(Clone)]
pub struct Target(Arc<Inner>);

impl Target {
    /// The uuid of the extension's installation.
    pub fn id(&self) -> Uuid {
        self.0.target_id
    }

    /// Iterations of the server's own verifiers: what ours must use, or logins of leases could be told apart.
    /// The server's default until a connection has been made.
    pub fn iterations(&self) -> u32 {
        self.0.greetings.iterations()
    }
}

/// The pools of this process, one a configuration. Holds nothing that another broker could have changed: a pool counts
/// only with the revision of the configuration that was read in this request.
#[derive(Clone, Default)]
pub struct Targets(Arc<Mutex<HashMap<Uuid, (i64, Target)>>>);

/// Which configuration, and what it was verified against.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// `database_configs.config_id`.
    pub config_id: Uuid,
    /// `database_configs.revision`.
    pub revision: i64,
    /// `database_configs.target_id`.
    pub target_id: Uuid,
}

impl Targets {
    /// The pool of a configuration at this revision, if there is one.
    pub fn get(&self, key: &Key) -> Option<Target> {
        self.lock()
            .get(&key.config_id)
            .filter(|(revision, target)| *revision == key.revision && target.id() == key.target_id)
            .map(|(_, target)| target.clone())
    }

    /// A new pool for a configuration; the one it had, if any, goes when its last user is done. Connects lazily.
    pub fn open(
        &self,
        key: &Key,
        details: &ConnectionDetails,
        scope: &Scope,
    ) -> Result<Target, TargetError> {
        let target = connect::pool(key.target_id, details, scope)?;
        self.lock()
            .insert(key.config_id, (key.revision, target.clone()));
        Ok(target)
    }

    /// Forgets a configuration's pool. Not closed: a credential may be in the making through it.
    pub fn forget(&self, config_id: Uuid) {
        self.lock().remove(&config_id);
    }

    /// Lets the pools go of all configurations but these: of one that is gone, whoever took it away, no connection is to stay
    /// open. Not closed either, as by [`Targets::forget`].
    pub fn keep_only(&self, configs: &HashSet<Uuid>) {
        self.lock()
            .retain(|config_id, _| configs.contains(config_id));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, (i64, Target)>> {
        self.0
            .lock()
            .expect("nothing panics while it holds the map of pools")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::secret::Password;

    #[tokio::test]
    async fn pools_of_configurations_that_are_gone_are_let_go() {
        let details = json!({ "connection_url": "host=127.0.0.1 port=1" });
        let details = details.as_object().expect("an object");
        let details = ConnectionDetails::parse(details).expect("well-formed details");
        let scope = Scope::new("store".into(), Password::new("secret"));
        let targets = Targets::default();
        let [kept, gone] = [1, 2].map(|number| Key {
            config_id: Uuid::from_u128(number),
            revision: 1,
            target_id: Uuid::nil(),
        });
        for key in [&kept, &gone] {
            targets
                .open(key, &details, &scope)
                .expect("it connects lazily");
        }
        targets.keep_only(&HashSet::from([kept.config_id]));
        assert!(targets.get(&kept).is_some());
        assert!(targets.get(&gone).is_none());
    }
}
