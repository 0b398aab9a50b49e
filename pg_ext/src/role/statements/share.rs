//! Can the grants of a text be held by a group of their own, once, instead of by every login? And if so, what the group
//! is given.
//!
//! They can if nothing in the text depends on which login it is for, but for the login itself: a canonical
//! `CREATE ROLE`, and plain grants to it.

use super::{Kind, Statement, Step, effect, plan, run};
use crate::core::error::{Fault, SqlState};
use crate::core::template::Values;
use crate::ffi::grant;
use crate::ffi::{identity, utility};
use pgrx::pg_sys::Oid;

/// Why a statement can not be shared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Obstacle {
    /// What PostgreSQL calls the statement; `None` is the text as a whole.
    pub tag: Option<&'static str>,
    /// Why.
    pub why: &'static str,
    /// What would do.
    pub cure: &'static str,
}

/// A name no text holds by chance: where it turns up, the placeholder was.
pub(super) const STAND_IN: &str = "leasehold_stands_in_for_the_login";
/// Values for the placeholders that no grant can hold.
pub(super) const VERIFIER: &str = "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA";
const EXPIRATION: &str = "2000-01-01 00:00:00+0000";

/// The placeholders' values for looking at a text, with this name.
pub(super) fn values(name: &str) -> Values<'_> {
    Values {
        name,
        verifier: Some(VERIFIER),
        expiration: Some(EXPIRATION),
    }
}

/// What makes each login need grants of its own.
const OWN: &str = "Use grants => 'own', or leave the statement out.";

/// Everything that stands in the way of sharing `texts`; none if nothing does.
pub fn obstacles(texts: &[String]) -> Result<Vec<Obstacle>, Fault> {
    let steps = plan(Kind::Creation, texts, &values(STAND_IN))?;
    let has = |kind: fn(&Step) -> bool| steps.iter().any(kind);
    let mut found: Vec<Obstacle> = steps.iter().filter_map(obstacle).collect();
    if !has(|step| matches!(step, Step::CreateLogin(_))) {
        found.push(Obstacle {
            tag: None,
            why: "the statements have no plain CREATE ROLE of the login",
            cure: "Begin with CREATE ROLE \"{{name}}\" WITH LOGIN.",
        });
    }
    if !has(|step| matches!(step, Step::AsDefiner(_))) && found.is_empty() {
        found.push(Obstacle {
            tag: None,
            why: "there is no grant on an object to share",
            cure: "Use grants => 'own': a membership costs a login no more.",
        });
    }
    Ok(found)
}

/// What stands in the way in one statement.
fn obstacle(step: &Step) -> Option<Obstacle> {
    let (tag, (why, cure)) = match step {
        Step::CreateLogin(options) if options.inherit == Some(false) => (
            "CREATE ROLE",
            (
                "a NOINHERIT login would not have what its group has",
                "Leave NOINHERIT out.",
            ),
        ),
        Step::CreateLogin(_) | Step::GrantGroups(_) | Step::AlterLoginSet(_) => return None,
        Step::AsDefiner(statement) => (statement.tag, unshared(statement)?),
    };
    Some(Obstacle {
        tag: Some(tag),
        why,
        cure,
    })
}

/// Why a definer's statement can not be run once for all, and what would do; `None` if it can.
fn unshared(statement: &Statement) -> Option<(&'static str, &'static str)> {
    if !statement.settings.is_empty() || statement.tag == "SET" {
        return Some((
            "a SET would have to hold whenever the grants are given anew",
            "Write out the schema of each name instead.",
        ));
    }
    let Some(written) = grant::written(&statement.text) else {
        return Some(("only plain grants to the login can be shared", OWN));
    };
    if written.grantees.as_deref() != Some(&[STAND_IN.to_owned()]) {
        return Some((
            "it grants to others than the login alone",
            "Grant that once, outside the role.",
        ));
    }
    let why = [
        (
            statement.text.matches(STAND_IN).count() != 1,
            "it depends on the login's name",
        ),
        (
            written.grant_option,
            "WITH GRANT OPTION would let a login hand on the rights of all",
        ),
        (written.granted_by, "GRANTED BY names a grantor"),
        (
            written.creates,
            "CREATE would let a login make things that belong to the group and outlive the lease",
        ),
        (
            !written.known,
            "grants on this kind of object are not looked into",
        ),
    ];
    let (_, why) = why.into_iter().find(|(stands, _)| *stands)?;
    Some((why, OWN))
}

/// An error that names the first obstacle; nothing if the texts can be shared.
pub fn check(texts: &[String]) -> Result<(), Fault> {
    let Some(first) = obstacles(texts)?.into_iter().next() else {
        return Ok(());
    };
    let what = match first.tag {
        Some(tag) => format!("the grants can not be shared ({tag}): {}", first.why),
        None => format!("the grants can not be shared: {}", first.why),
    };
    Err(Fault::Statement {
        state: SqlState(*b"22023"),
        what,
        cure: Some(first.cure.to_owned()),
    })
}

/// The grants of `texts`, as statements for `group`. The texts have been checked.
pub fn grants(texts: &[String], group: &str) -> Result<Vec<Step>, Fault> {
    let mut steps = plan(Kind::Creation, texts, &values(group))?;
    steps.retain(|step| matches!(step, Step::AsDefiner(_)));
    Ok(steps)
}

/// Gives `group` what the grants say, with the rights of `definer`. Inside [`super::together`].
pub fn give(grants: &[Step], definer: Oid, group: &str) -> Result<(), Fault> {
    grants
        .iter()
        .filter_map(Step::statement)
        .try_for_each(|statement| run(statement, definer, group))
}

/// The objects that each of the grants is about now, found as `definer` finds them. A name that leads nowhere is
/// PostgreSQL's own error.
pub fn targets(grants: &[Step], definer: Oid) -> Vec<(Oid, Oid)> {
    identity::as_definer(definer, true, || {
        utility::pin();
        let mut all = Vec::new();
        for statement in grants.iter().filter_map(Step::statement) {
            if let Some(grant) = grant::read(&statement.text) {
                let mut objects: Vec<(Oid, Oid)> = effect::objects(&grant)
                    .into_iter()
                    .map(|object| (object.catalog, object.oid))
                    .collect();
                objects.sort_unstable_by_key(|(catalog, oid)| (catalog.to_u32(), oid.to_u32()));
                all.append(&mut objects);
                // So that an object can not move from one grant to the next unseen.
                all.push((Oid::INVALID, Oid::INVALID));
            }
        }
        all
    })
}
