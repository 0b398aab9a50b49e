//! Issue: logins and their leases, in one transaction, once for each request id. Those that are asked for together cost one
//! statement a table.

use super::enforced;
use super::login::{Maker, Wanted};
use super::owner::{Claim, Held};
use super::scope::Caller;
use crate::catalog::leases::{Common, NewLease};
use crate::catalog::recipes::Recipe;
use crate::catalog::{leases, recipes, requests};
use crate::core::digest::Fields;
use crate::core::error::Fault;
use crate::core::instant;
use crate::core::names;
use crate::core::scram::{ITERATIONS_MIN, Verifier};
use crate::core::ttl::{self, Ends, Wish};
use crate::ffi::login::NewSecret;
use crate::ffi::{clock, databases, durable, identity, label, random, xact};
use crate::role::{audit, rights};
use crate::worker::wake;
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiClient;
use std::collections::HashSet;
use zeroize::Zeroizing;

/// How many bytes a request id, a display name have at most.
pub const TEXT_BYTES_MAX: usize = 4_096;

/// What all logins of a call have in common.
pub struct Batch<'a> {
    /// The recipe.
    pub role: &'a str,
    /// The text of the recipe that the caller means.
    pub digest: Option<&'a str>,
    /// Whose leases they are.
    pub scope: Option<&'a str>,
}

/// What a caller asks for one login.
#[derive(Default)]
pub struct Ask<'a> {
    /// How long.
    pub wish: Wish,
    /// An end of the caller's own that binds renewals too.
    pub cap_us: Option<i64>,
    /// What the lease is tied to, each one's parent next.
    pub owners: &'a [Claim],
    /// Who it is for, as people read it.
    pub display_name: Option<&'a str>,
    /// The login's name; made if absent.
    pub login: Option<&'a str>,
    /// The verifier of a password that only the caller knows; password and verifier are made if absent.
    pub verifier: Option<&'a str>,
    /// The lease's id; made if absent.
    pub request_id: Option<&'a str>,
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

/// A request that can be read.
struct Request<'a> {
    /// Which of the asks it is.
    place: usize,
    ask: &'a Ask<'a>,
    lease_id: String,
    verifier: Option<Verifier>,
    fingerprint: [u8; 32],
}

/// Issues what `ask` asks for, or gives the lease that the same request has made before.
pub fn one(
    db: &mut SpiClient<'_>,
    caller: &Caller,
    batch: &Batch<'_>,
    ask: &Ask<'_>,
) -> Result<Issued, Fault> {
    all(db, caller, batch, std::slice::from_ref(ask))?
        .pop()
        .unwrap_or_else(|| Err(Fault::Internal("an issue without an answer".into())))
}

/// The same for many; one answer for each, in order. Of one that is refused nothing has been written. What goes wrong after
/// that is an error of the whole.
pub fn all(
    db: &mut SpiClient<'_>,
    caller: &Caller,
    batch: &Batch<'_>,
    asks: &[Ask<'_>],
) -> Result<Vec<Result<Issued, Fault>>, Fault> {
    let scope = caller.one(db, batch.scope)?;
    enforced::ensure(scope)?;
    durable::ensure();
    xact::refuse_prepare();

    let mut seen = HashSet::new();
    let mut answers = Vec::with_capacity(asks.len());
    let mut readable = Vec::with_capacity(asks.len());
    for (place, ask) in asks.iter().enumerate() {
        let read = read(batch.role, place, ask).and_then(|request| {
            if seen.insert(request.lease_id.clone()) {
                return Ok(request);
            }
            Err(Fault::argument(
                format!("request id \"{}\" is there twice", request.lease_id),
                "Ask for it once in a call.",
            ))
        });
        match read {
            Ok(request) => {
                readable.push(request);
                answers.push(None);
            }
            Err(fault) => answers.push(Some(Err(fault))),
        }
    }
    let claimed = claim(db, scope, &readable)?;
    let mut fresh = Vec::with_capacity(readable.len());
    for (request, number) in readable.into_iter().zip(claimed) {
        match number {
            Some(number) => fresh.push((request, number)),
            None => {
                answers[request.place] = Some(again(
                    db,
                    scope,
                    &request.lease_id,
                    &request.fingerprint,
                    request.verifier.is_some(),
                ));
            }
        }
    }
    if !fresh.is_empty() {
        for (place, issued) in make(db, caller, (scope, batch), fresh)? {
            answers[place] = Some(Ok(issued));
        }
    }
    let missing = || Err(Fault::Internal("an issue without an answer".into()));
    Ok(answers
        .into_iter()
        .map(|answer| answer.unwrap_or_else(missing))
        .collect())
}

fn read<'a>(role: &str, place: usize, ask: &'a Ask<'a>) -> Result<Request<'a>, Fault> {
    check_text("display_name", ask.display_name)?;
    let lease_id = match ask.request_id {
        Some(id) => check_id(id)?.to_owned(),
        None => names::lease_id(role, &random::bytes()),
    };
    Ok(Request {
        place,
        ask,
        lease_id,
        verifier: ask.verifier.map(Verifier::parse).transpose()?,
        fingerprint: Fields::of("request 1")
            .text(Some(role))
            .text(ask.verifier)
            .bytes(),
    })
}

/// The numbers of the leases that these requests make; `None` where the id is taken.
fn claim(
    db: &mut SpiClient<'_>,
    scope: &str,
    requests: &[Request<'_>],
) -> Result<Vec<Option<i64>>, Fault> {
    let claims: Vec<(&str, &[u8; 32])> = requests
        .iter()
        .map(|request| (request.lease_id.as_str(), &request.fingerprint))
        .collect();
    let mut numbers = requests::claim(db, scope, &claims)?;
    Ok(requests
        .iter()
        .map(|request| numbers.remove(&request.lease_id))
        .collect())
}

/// Makes the logins and leases of requests that are the first of their ids, under these numbers.
fn make(
    db: &mut SpiClient<'_>,
    caller: &Caller,
    (scope, batch): (&str, &Batch<'_>),
    requests: Vec<(Request<'_>, i64)>,
) -> Result<Vec<(usize, Issued)>, Fault> {
    let recipe = find(db, scope, batch.role, batch.digest)?;
    let definer = rights::definer(&recipe.definer)?;
    if let Some(heir) = &recipe.terms.reassign_to {
        rights::same_heir(definer, heir)?;
    }
    let now = clock::wall();
    let chains: Vec<&[Claim]> = requests
        .iter()
        .map(|(request, _)| request.ask.owners)
        .filter(|owners| !owners.is_empty())
        .collect();
    let mut owners = match chains.as_slice() {
        [] => None,
        chains => Some(Held::told(db, scope, chains, now)?),
    };
    let mut made = Vec::with_capacity(requests.len());
    let mut maker = Maker::new(db, &recipe, definer)?;
    for (request, number) in requests {
        let ask = request.ask;
        let name = match ask.login {
            Some(name) => {
                names::check_login(name)?;
                name.to_owned()
            }
            None => names::login(batch.role, &random::bytes()),
        };
        let (password, verifier) = match request.verifier {
            Some(verifier) => (None, verifier),
            None => {
                let password = names::password(&random::bytes());
                let verifier = Verifier::derive(&password, &random::bytes(), ITERATIONS_MIN);
                (Some(password), verifier)
            }
        };
        let ends = ttl::issue(now, recipe.terms.rules(), ask.wish, ask.cap_us)?;
        let owners_end = match (ask.owners.first(), owners.as_mut()) {
            (Some(first), Some(held)) => held.earliest_end(db, &first.owner, now)?,
            _ => None,
        };
        let login = maker.make(
            db,
            &Wanted {
                name: &name,
                verifier: &verifier,
                expiration: &instant::text(ends.expires_at),
            },
        )?;
        let due_at = owners_end.map_or(ends.expires_at, |end| end.min(ends.expires_at));
        made.push(Made {
            place: request.place,
            ask,
            number,
            due_at,
            login,
            verifier,
            issued: Issued {
                lease_id: request.lease_id,
                login: login.map(|_| name),
                password,
                issued_at: now,
                ends,
            },
        });
    }
    arm(&made, definer)?;
    write(db, caller, (scope, &recipe, definer, now), &made)?;
    Ok(made
        .into_iter()
        .map(|one| (one.place, one.issued))
        .collect())
}

/// A login that is there, before its lease is written.
struct Made<'a> {
    place: usize,
    ask: &'a Ask<'a>,
    number: i64,
    due_at: i64,
    login: Option<Oid>,
    verifier: Verifier,
    issued: Issued,
}

impl Made<'_> {
    /// What its login is armed with; `None` for a lease without one.
    fn secret(&self) -> Option<NewSecret<'_>> {
        Some(NewSecret {
            login: self.login?,
            name: self.issued.login.as_deref()?,
            verifier: self.verifier.as_str(),
            valid_until: self.issued.ends.expires_at,
        })
    }
}

/// Gives the logins their verifiers, their ends and our mark, and looks at what they can do.
fn arm(made: &[Made<'_>], definer: Oid) -> Result<(), Fault> {
    let logins: Vec<NewSecret<'_>> = made.iter().filter_map(Made::secret).collect();
    if logins.is_empty() {
        return Ok(());
    }
    let installation = databases::own_installation()?;
    crate::ffi::login::arm(&logins);
    let logins = || made.iter().filter_map(|one| Some((one.login?, one.number)));
    for (login, number) in logins() {
        label::mark(login, installation, number);
    }
    let superuser = identity::is_superuser(definer);
    for (login, _) in logins() {
        audit::audit(login, superuser)?;
    }
    Ok(())
}

fn write(
    db: &mut SpiClient<'_>,
    caller: &Caller,
    (scope, recipe, definer, now): (&str, &Recipe, Oid, i64),
    made: &[Made<'_>],
) -> Result<(), Fault> {
    let terms = &recipe.terms;
    let common = Common {
        scope,
        role: (&recipe.name, &recipe.digest),
        issued_by: (&caller.name, caller.role),
        issued_at: now,
        definer: (&recipe.definer.0, definer),
        revocation: (!terms.revocation.is_empty()).then(|| terms.revocation.clone()),
        reassign_to: terms
            .reassign_to
            .as_ref()
            .map(|(heir, oid)| (heir.as_str(), *oid)),
        drop_owned: terms.drop_owned,
    };
    let new: Vec<NewLease<'_>> = made
        .iter()
        .map(|one| NewLease {
            number: one.number,
            lease_id: &one.issued.lease_id,
            login: one.issued.login.as_deref().zip(one.login),
            owner: one.ask.owners.first().map(|claim| claim.owner.as_str()),
            display_name: one.ask.display_name,
            expires_at: one.issued.ends.expires_at,
            cap_at: one
                .ask
                .cap_us
                .map(|cap| now.saturating_add(cap).min(now + ttl::LONGEST_US)),
            max_expires_at: one.issued.ends.max_expires_at,
            due_at: one.due_at,
        })
        .collect();
    leases::insert(db, &common, &new)?;
    if let Some(nearest) = made.iter().map(|one| one.due_at).min() {
        wake::at_commit(nearest);
    }
    Ok(())
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
    same_digest(&recipe, digest)?;
    Ok(recipe)
}

/// Refuses a recipe that is not the one the caller means, if it says which.
pub fn same_digest(recipe: &Recipe, digest: Option<&str>) -> Result<(), Fault> {
    if digest.is_some_and(|digest| digest != recipe.digest) {
        return Err(Fault::OtherRecipe {
            role: recipe.name.clone(),
        });
    }
    Ok(())
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
