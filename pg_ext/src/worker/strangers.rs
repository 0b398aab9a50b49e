//! Logins (and groups of shared recipes) whose label names an installation that no database holds: their database was dropped, or they came with the
//! roles of another cluster. Nobody would end them. They are fenced at once, and dropped if nobody claims them for a day;
//! the instant of the fence is kept in their `VALID UNTIL`.

use super::board::Board;
use super::errands::Errands;
use super::job::{Answer, Order};
use crate::catalog::dependents::{self, Stranger};
use crate::catalog::{ending, litter};
use crate::ffi::marked::{self, Marked};
use crate::ffi::{backends, clock, databases, drop, label, owned, txn, xact};
use crate::lease::end::{self, Estate};
use pgrx::pg_sys;
use std::collections::{HashMap, HashSet};

/// How soon one that was in order is visited again; at once if it can log in again.
const VISIT_AGAIN_MS: u64 = 600_000;

/// The launcher's side: finds them, and sends cleaners, because seeing to them needs a database.
pub struct Strangers {
    errands: Errands,
    /// When each was in order last: there may be very many of them, for a day.
    in_order: HashMap<pg_sys::Oid, u64>,
    /// Where something is known to depend on one.
    elsewhere: HashMap<pg_sys::Oid, pg_sys::Oid>,
}

impl Strangers {
    /// None known yet.
    pub fn new(board: &'static Board) -> Self {
        Self {
            errands: Errands::new(board, pg_sys::InvalidOid),
            in_order: HashMap::new(),
            elsewhere: HashMap::new(),
        }
    }

    /// Looks for them, and sends cleaners.
    pub fn look(&mut self, now_ms: u64) {
        if self.errands.any() {
            return;
        }
        let (found, place) = match txn::run(|| (find(), databases::any_open())) {
            Ok((found, Some(place))) => (found, place),
            Ok((_, None)) => return,
            Err(trouble) => {
                pgrx::log!("leasehold launcher can not look for unknown logins: {trouble}");
                return;
            }
        };
        let known: HashSet<_> = found.iter().map(|(marked, _)| marked.login).collect();
        self.elsewhere.retain(|login, _| known.contains(login));
        self.in_order.retain(|login, at_ms| {
            known.contains(login) && now_ms.saturating_sub(*at_ms) < VISIT_AGAIN_MS
        });
        for (marked, is_armed) in found {
            if !is_armed && self.in_order.contains_key(&marked.login) {
                continue;
            }
            let database = self.elsewhere.get(&marked.login).copied().unwrap_or(place);
            self.errands
                .add(database, Order::stranger(marked.number, marked.login));
        }
        self.errands.send(now_ms);
    }

    /// Takes in what the cleaners have found.
    pub fn collect(&mut self, now_ms: u64) {
        if !self.errands.any() {
            return;
        }
        for report in self.errands.collect(now_ms) {
            let Some(login) = report.order.login else {
                continue;
            };
            self.elsewhere.remove(&login);
            match report.answer {
                Answer::Clean => {
                    self.in_order.insert(login, now_ms);
                }
                Answer::Elsewhere(database) => {
                    self.elsewhere.insert(login, database);
                }
                Answer::Failed(reason) => {
                    pgrx::log!("login {login} of an unknown installation stays: {reason}");
                }
                Answer::None => {}
            }
        }
        self.errands.send(now_ms);
    }
}

/// Logins whose installation no database holds, and whether they can log in.
fn find() -> Vec<(Marked, bool)> {
    let homes: HashSet<_> = databases::homes_without_index()
        .iter()
        .map(|home| home.installation)
        .collect();
    let mut strangers = marked::logins();
    strangers.retain(|marked| !homes.contains(&marked.installation));
    let armed = marked::armed_among(&strangers.iter().map(|marked| marked.login).collect());
    strangers
        .into_iter()
        .map(|marked| (marked, armed.contains(&marked.login)))
        .collect()
}

/// The cleaner's side: does what can be done for one of them in this database.
pub fn see_to(order: Order) -> Answer {
    let Some(login) = order.login else {
        return Answer::Clean;
    };
    let still_unknown = || {
        label::owner_of(login).is_some_and(|installation| {
            databases::homes()
                .iter()
                .all(|home| home.installation != installation)
        })
    };
    let standing = txn::run(|| {
        if still_unknown() {
            dependents::stranger(login)
        } else {
            None
        }
    });
    let done = match standing {
        Ok(None | Some(Stranger::Waiting)) => return Answer::Clean,
        Ok(Some(Stranger::Armed)) => fence(login),
        Ok(Some(Stranger::Forfeit)) => return remove(login),
        Err(trouble) => Err(trouble.to_string()),
    };
    match done {
        Ok(()) => Answer::Clean,
        Err(reason) => Answer::Failed(reason),
    }
}

fn fence(login: pg_sys::Oid) -> Result<(), String> {
    let fenced = txn::run(|| {
        let locked = ending::lock_logins(&[login]);
        !locked.is_empty() && ending::disarm(&locked, clock::now()).is_empty()
    })
    .map_err(|trouble| trouble.to_string())?;
    for backend in backends::others(|user| user == login) {
        backends::terminate(backend);
    }
    if fenced {
        Ok(())
    } else {
        Err("somebody holds its row".into())
    }
}

fn remove(login: pg_sys::Oid) -> Answer {
    let removed = (|| -> Result<Answer, String> {
        let say = |trouble: crate::core::trouble::Trouble| trouble.to_string();
        for gid in txn::run(|| dependents::prepared(login)).map_err(say)? {
            txn::run(|| owned::roll_back_prepared(&gid)).map_err(say)?;
        }
        txn::run(|| end::clean(login, Estate::Keep, true)).map_err(say)??;
        let here = xact::my_database();
        let databases = txn::run(|| dependents::databases_of(login)).map_err(say)?;
        if let Some(&database) = databases.iter().find(|&&database| database != here) {
            return Ok(Answer::Elsewhere(database));
        }
        txn::run(|| drop::roles(&litter::lock_names(&[login]))).map_err(say)?;
        Ok(Answer::Clean)
    })();
    removed.unwrap_or_else(Answer::Failed)
}
