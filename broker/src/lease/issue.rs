//! Issuing, one order always: the intent is durable before the target is asked, the target is asked by request id until it
//! has answered, and what it answered is written down later, in bulk.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{LeaseError, intents, reach_config, settle};
use crate::core::Core;
use crate::logical::{Fault, Guess, TokenIdentity};
use crate::secret::Verifier;
use crate::store::configs::ConfigRow;
use crate::store::intents::{Intent, Recorded, owner_chain};
use crate::store::leases;
use crate::target::{Issue, Owner, Recipe, Refusal, Target, TargetError};

/// From the intent to the target's answer.
const DEADLINE: Duration = Duration::from_secs(20);
/// How often something may change under an issue before it gives up.
const TRIES: usize = 4;
/// Before an issue that stood in the way of others is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// Everything a lease is to be.
pub struct Order<'a> {
    /// Full lease id.
    pub lease_id: &'a str,
    /// Path below the mount.
    pub path: &'a str,
    /// Configuration, as read in this request.
    pub config: &'a ConfigRow,
    /// Role, as read in this request.
    pub role: &'a str,
    /// Its recipe.
    pub recipe: &'a Recipe,
    /// Name of the login.
    pub login: &'a str,
    /// Who asks.
    pub token: &'a TokenIdentity,
    /// Seconds granted.
    pub ttl_seconds: i64,
    /// Ceiling in seconds.
    pub max_ttl_seconds: i64,
    /// Who asks is this guess; recording the intent proves it.
    pub guess: Option<&'a Guess>,
}

/// How an order ended well, or not at all.
pub enum Made {
    /// The login is there.
    Issued,
    /// Mount, role or configuration changed while it was under way: read them again.
    Stale,
    /// The name of the login is taken, or not allowed: the target's words.
    LoginTaken(String),
}

/// Makes a lease. `verifier` is computed for the iterations of the server, known once it is reached.
pub async fn issue(
    core: &Arc<Core>,
    order: &Order<'_>,
    target: &Target,
    verifier: &Verifier,
) -> Result<Made, LeaseError> {
    let intent = Intent {
        lease_id: order.lease_id.to_owned(),
        mount_id: order.config.mount_id,
        path: order.path.to_owned(),
        config_id: order.config.config_id,
        config_revision: order.config.revision,
        target_id: target.id(),
        role: order.role.to_owned(),
        role_revision: order.recipe.revision,
        recipe: order.recipe.name.clone(),
        login: order.login.to_owned(),
        token_id: order.token.token_id,
        ttl_seconds: order.ttl_seconds,
        max_ttl_seconds: order.max_ttl_seconds,
        cap_at_us: order.token.batch_expires_at_us,
        mark: order.guess.map(|guess| guess.mark().to_owned()),
    };
    // The recipe first: what the store then holds in place is never waited for on account of a definition.
    target.recipe_digest(order.recipe).await?;
    // From before the store is asked: its commit may be slow, and an end is told early rather than late.
    let read_at = Instant::now();
    let (owners, cap_microseconds) = match intents::record(core, intent).await? {
        Recorded::Placed {
            owners,
            cap_microseconds,
        } => (owners, cap_microseconds),
        Recorded::TokenEnded => return Err(Fault::unknown_caller().into()),
        Recorded::Stale => return Ok(Made::Stale),
    };
    if let Some(guess) = order.guess {
        guess.prove();
    }
    let told = Told {
        owners,
        cap_microseconds,
        read_at,
    };
    let asked = ask(core, order, target, verifier, told).await;
    match asked {
        Ok(()) => {
            core.errands.confirm_later(order.lease_id.to_owned());
            Ok(Made::Issued)
        }
        Err((error, in_doubt)) => {
            give_up(core, order.lease_id, target, in_doubt).await;
            match error {
                LeaseError::Target(TargetError::Refused {
                    refusal: Refusal::LoginTaken,
                    message,
                }) => Ok(Made::LoginTaken(message)),
                error => Err(error),
            }
        }
    }
}

/// What the store says of the ends above a lease: what is left at `read_at`.
struct Told {
    owners: Vec<Owner>,
    cap_microseconds: Option<i64>,
    read_at: Instant,
}

async fn ask(
    core: &Arc<Core>,
    order: &Order<'_>,
    target: &Target,
    verifier: &Verifier,
    told: Told,
) -> Result<(), (LeaseError, bool)> {
    let deadline = Instant::now() + DEADLINE;
    let mut in_doubt = false;
    let mut tries = 1;
    let mut request = Issue {
        recipe: order.recipe.name.clone(),
        digest: String::new(),
        lease_id: order.lease_id.to_owned(),
        login: order.login.to_owned(),
        verifier: verifier.clone(),
        ttl_seconds: order.ttl_seconds,
        max_ttl_seconds: order.max_ttl_seconds,
        cap_microseconds: told.cap_microseconds,
        owners: told.owners,
        read_at: told.read_at,
        display_name: order.token.display_name.clone(),
    };
    loop {
        request.digest = target
            .recipe_digest(order.recipe)
            .await
            .map_err(|error| (error.into(), in_doubt))?;
        // Statements of a recipe's own lock what nobody here knows: those leases have a transaction each.
        let alone = !order.recipe.creation_statements.is_empty() && !order.recipe.shares_grants;
        let made = if alone {
            target.issue(&request, deadline).await
        } else {
            target.issue_together(&request, deadline).await
        };
        let (error, doubtful) = match made {
            Ok(()) => return Ok(()),
            Err(failed) => failed,
        };
        in_doubt |= doubtful;
        let again = tries < TRIES && Instant::now() < deadline;
        match error.refusal() {
            Some(Refusal::UnknownRecipe | Refusal::OtherRecipe) if again => {
                target.forget_recipe(&order.recipe.name);
            }
            // A parent may have ended and left this token an orphan since the chain was read.
            Some(Refusal::OwnerEnded) if again => {
                let read_at = Instant::now();
                let now = match order.token.token_id {
                    Some(token_id) => owner_chain(&core.store, token_id)
                        .await
                        .map_err(|error| (error.into(), in_doubt))?,
                    None => None,
                };
                match now {
                    Some(now) if same_chain(&now, &request.owners) => {
                        return Err((error.into(), in_doubt));
                    }
                    Some(now) => request.read_again(now, read_at),
                    None => return Err((Fault::unknown_caller().into(), in_doubt)),
                }
            }
            // Rolled back to let others pass.
            None if again && error.is_contention() => tokio::time::sleep(PAUSE).await,
            Some(Refusal::Cancelled) => {
                return Err((
                    Fault::bad("the lease was revoked while it was being made").into(),
                    in_doubt,
                ));
            }
            _ => return Err((error.into(), in_doubt)),
        }
        tries += 1;
    }
}

fn same_chain(one: &[Owner], other: &[Owner]) -> bool {
    one.iter()
        .map(|owner| &owner.accessor)
        .eq(other.iter().map(|owner| &owner.accessor))
}

/// The client will hear of a failure: no lease may come of it. Without doubt there is none, and its record goes at once.
async fn give_up(core: &Arc<Core>, lease_id: &str, target: &Target, in_doubt: bool) {
    let ids = [lease_id.to_owned()];
    let noted = if in_doubt {
        leases::mark_ending(&core.store, &ids).await
    } else {
        leases::remove(&core.store, &ids).await
    };
    if let Err(error) = noted {
        // The intent stays and is settled in a while.
        tracing::warn!(lease_id, %error, "could not note that a lease was not made");
        if in_doubt {
            // As a lease like any other, if it was made: so it is said again until it is heard.
            let again = note_ending(core.clone(), ids);
            core.tasks.spawn(async move {
                // If not even then: it is settled as what it is.
                let _ = again.await;
            });
        }
    }
    if in_doubt {
        core.errands.nudge(target.id());
    }
}

/// How long a store that is away is waited for with what nobody is to have. Intents are settled later than that.
const NOTE_FOR: Duration = Duration::from_secs(120);
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// Notes that these are to end, as soon as the store hears of it. False: it never did.
async fn note_ending(core: Arc<Core>, ids: [String; 1]) -> bool {
    let began = Instant::now();
    let mut stop = core.tasks.stop_signal();
    while leases::mark_ending(&core.store, &ids).await.is_err() {
        if began.elapsed() > NOTE_FOR || !stop.sleep(NOTE_EVERY).await {
            return false;
        }
    }
    true
}

/// Ends a lease whose client went away before it had its answer.
pub async fn undo(core: Arc<Core>, lease_id: String, config: Arc<ConfigRow>) {
    let ids = [lease_id.clone()];
    let undone = async {
        if !note_ending(core.clone(), ids.clone()).await {
            return Err(Fault::internal("the store did not hear of it").into());
        }
        let target = reach_config(&core, &config).await?;
        settle::settle(&core, &target, &ids).await
    };
    match undone.await {
        Ok(()) => tracing::info!(
            lease_id,
            "ended a lease whose client went away before its answer"
        ),
        Err(error) => {
            tracing::warn!(lease_id, %error, "could not yet end a lease whose client went away")
        }
    }
}
