//! Issue: a login and its lease, in one transaction, once for each request id.

use super::login::{self, Wanted};
use super::owner::{self, Claim};
use super::scope::Caller;
use crate::catalog::leases::NewLease;
use crate::catalog::recipes::Recipe;
use crate::catalog::{leases, recipes, requests};
use crate::core::digest::Fields;
use crate::core::error::Fault;
use crate::core::instant;
use crate::core::names::{self, SQL_SCOPE};
use crate::core::scram::{ITERATIONS_MIN, Verifier};
use crate::core::ttl::{self, Ends, Wish};
use crate::ffi::{clock, durable, identity, label, latch, random, xact};
use crate::role::{audit, rights};
use crate::worker::{self, heartbeat, wake};
use pgrx::spi::SpiClient;
use zeroize::Zeroizing;

/// How many bytes a request id, a display name have at most.
pub const TEXT_BYTES_MAX: usize = 4_096;

/// What a caller asks for.
pub struct Ask<'a> {
    /// The recipe.
    pub role: &'a str,
    /// How long.
    pub wish: Wish,
    /// An end of the caller's own that binds renewals too.
    pub cap_us: Option<i64>,
    /// What the lease is tied to, each one's parent next.
    pub owners: Vec<Claim>,
    /// Who it is for, as people read it.
    pub display_name: Option<&'a str>,
    /// The login's name; made if absent.
    pub login: Option<&'a str>,
    /// The verifier of a password that only the caller knows; password and verifier are made if absent.
    pub verifier: Option<&'a str>,
    /// The lease's id; made if absent.
    pub request_id: Option<&'a str>,
    /// The text of the recipe that the caller means.
    pub digest: Option<&'a str>,
    /// Whose lease it is.
    pub scope: Option<&'a str>,
}

/// What the caller gets.
pub struct Issued {
    /// The lease's id.
    pub lease_id: String,
    /// The login's name; `None` for a lease without a login.
    pub login: Option<String>,
    /// The password, if it was made here.
    pub password: Option<Zeroizing<String>>,
    /// When it was issued.
    pub issued_at: i64,
    /// Its ends.
    pub ends: Ends,
}

/// Issues what `ask` asks for, or gives the lease that the same request has made before.
pub fn issue(db: &mut SpiClient<'_>, caller: &Caller, ask: Ask<'_>) -> Result<Issued, Fault> {
    let scope = caller.one(db, ask.scope)?;
    somebody_enforces(scope)?;
    durable::ensure();
    xact::refuse_prepare();

    check_text("display_name", ask.display_name)?;
    let lease_id = match ask.request_id {
        Some(id) => check_id(id)?.to_owned(),
        None => names::lease_id(ask.role, &random::bytes()),
    };
    let brought = ask.verifier.map(Verifier::parse).transpose()?;
    let fingerprint = Fields::of("request 1")
        .text(Some(ask.role))
        .text(ask.verifier)
        .bytes();
    let Some(number) = requests::claim(db, scope, &lease_id, &fingerprint)? else {
        return again(db, scope, &lease_id, &fingerprint, brought.is_some());
    };

    let recipe = find(db, scope, ask.role, ask.digest)?;
    let definer = rights::definer(&recipe.definer)?;
    if let Some(heir) = &recipe.terms.reassign_to {
        rights::same_heir(definer, heir)?;
    }
    let name = match ask.login {
        Some(name) => {
            names::check_login(name)?;
            name.to_owned()
        }
        None => names::login(ask.role, &random::bytes()),
    };
    let (password, verifier) = match brought {
        Some(verifier) => (None, verifier),
        None => {
            let password = names::password(&random::bytes());
            let verifier = Verifier::derive(&password, &random::bytes(), ITERATIONS_MIN);
            (Some(password), verifier)
        }
    };

    let now = clock::wall();
    let ends = ttl::issue(now, recipe.terms.rules(), ask.wish, ask.cap_us)?;
    let owners_end = owner::hold(db, scope, &ask.owners, now)?;
    let due_at = owners_end.map_or(ends.expires_at, |end| end.min(ends.expires_at));

    let login = login::make(
        db,
        &Wanted {
            name: &name,
            verifier: &verifier,
            expires_at: ends.expires_at,
            expiration: &instant::text(ends.expires_at),
            recipe: &recipe,
            definer,
        },
    )?;
    leases::insert(
        db,
        &NewLease {
            number,
            scope,
            lease_id: &lease_id,
            role: (&recipe.name, &recipe.digest),
            login: login.map(|login| (name.as_str(), login)),
            owner: ask.owners.first().map(|claim| claim.owner.as_str()),
            display_name: ask.display_name,
            issued_by: (&caller.name, caller.role),
            issued_at: now,
            expires_at: ends.expires_at,
            cap_at: ask
                .cap_us
                .map(|cap| now.saturating_add(cap).min(now + ttl::LONGEST_US)),
            max_expires_at: ends.max_expires_at,
            due_at,
            definer: (&recipe.definer.0, definer),
            revocation: (!recipe.terms.revocation.is_empty())
                .then(|| recipe.terms.revocation.clone()),
            reassign_to: recipe
                .terms
                .reassign_to
                .as_ref()
                .map(|(heir, oid)| (heir.as_str(), *oid)),
            drop_owned: recipe.terms.drop_owned,
        },
    )?;
    if let Some(login) = login {
        let installation = label::installation(xact::my_database()).ok_or(Fault::NobodyEnforces {
            why: "the database has lost its label",
            cure: "Put it back: SECURITY LABEL FOR leasehold ON DATABASE … IS 'the installation''s id', as a superuser.",
        })?;
        label::mark(login, installation, number);
        audit::audit(login, identity::is_superuser(definer))?;
    }
    wake::at_commit(due_at);
    Ok(Issued {
        lease_id,
        login: login.map(|_| name),
        password,
        issued_at: now,
        ends,
    })
}

/// The recipe of that name, and of that digest if one is given.
pub fn find(
    db: &mut SpiClient<'_>,
    scope: &str,
    role: &str,
    digest: Option<&str>,
) -> Result<Recipe, Fault> {
    let recipe = recipes::find(db, scope, role)?.ok_or_else(|| Fault::UnknownRecipe {
        role: role.to_owned(),
        scope: scope.to_owned(),
    })?;
    if digest.is_some_and(|digest| digest != recipe.digest) {
        return Err(Fault::OtherRecipe {
            role: role.to_owned(),
        });
    }
    Ok(recipe)
}

/// The lease that this request has made before.
fn again(
    db: &mut SpiClient<'_>,
    scope: &str,
    lease_id: &str,
    fingerprint: &[u8; 32],
    verifier_given: bool,
) -> Result<Issued, Fault> {
    let taken = |why| Fault::RequestTaken {
        request_id: lease_id.to_owned(),
        why,
    };
    let request = requests::find(db, scope, lease_id)?
        .ok_or_else(|| Fault::Internal("a request id that is taken is not there".into()))?;
    let Some(number) = request.lease_number else {
        return Err(Fault::Cancelled {
            request_id: lease_id.to_owned(),
        });
    };
    if request.fingerprint.as_deref() != Some(fingerprint.as_slice()) {
        return Err(taken("it was used for another role or another verifier"));
    }
    if !verifier_given {
        return Err(taken(
            "its password was given out once and is not known any more",
        ));
    }
    match leases::by_number(db, number)? {
        Some(lease) if lease.active => Ok(Issued {
            lease_id: lease.lease_id,
            login: lease.login,
            password: None,
            issued_at: lease.issued_at,
            ends: Ends {
                expires_at: lease.expires_at,
                max_expires_at: lease.max_expires_at,
            },
        }),
        _ => Err(Fault::Ended {
            lease_id: lease_id.to_owned(),
        }),
    }
}

fn somebody_enforces(scope: &str) -> Result<(), Fault> {
    if !worker::preloaded() {
        let fault = Fault::NobodyEnforces {
            why: "leasehold is not in shared_preload_libraries",
            cure: "Add leasehold to shared_preload_libraries and restart the server.",
        };
        if scope != SQL_SCOPE {
            return Err(fault);
        }
        pgrx::warning!(
            "{fault}: sessions of this login will outlive the lease, until somebody calls leasehold.sweep()"
        );
        return Ok(());
    }
    await_first_beat();
    if !heartbeat::fresh(xact::my_database()) {
        return Err(Fault::NobodyEnforces {
            why: "its worker has not shown itself for five seconds",
            cure: "Look for \"leasehold\" in the server's log; a new worker starts within a second where max_worker_processes has room for it.",
        });
    }
    Ok(())
}

/// Right after CREATE EXTENSION, or after a crash, the worker is still on its way.
fn await_first_beat() {
    const PATIENCE_MS: u64 = 3_000;
    let database = xact::my_database();
    let began = clock::monotonic_ms();
    while heartbeat::age_ms(database).is_none() && clock::monotonic_ms() - began < PATIENCE_MS {
        latch::wait(10);
    }
}

fn check_id(id: &str) -> Result<&str, Fault> {
    if id.is_empty() || id.chars().any(char::is_control) {
        return Err(Fault::argument(
            "request_id is empty or holds control characters",
            "Use the lease's id, a path and a random part.",
        ));
    }
    check_text("request_id", Some(id))?;
    Ok(id)
}

fn check_text(what: &str, text: Option<&str>) -> Result<(), Fault> {
    if text.is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
        return Err(Fault::argument(
            format!("{what} is longer than {TEXT_BYTES_MAX} bytes"),
            "Give a shorter one.",
        ));
    }
    Ok(())
}
