//! Did a `GRANT` give what it says? A definer who may not grant something often gets no more than a warning.

use super::{Locks, Statement, StatementError};
use crate::catalog::acl;
use crate::ffi::grant::{self, Grant, Object, Targets};
use crate::ffi::identity;
use pgrx::pg_sys;

/// The error of a statement just run that did not give the login `name` all it says; `None` if it did, or if it
/// concerns others. A superuser's always do. Called where the statement ran, with its rights and settings.
pub(super) fn missing(
    statement: &Statement,
    definer: pg_sys::Oid,
    name: &str,
) -> Option<StatementError> {
    if !matches!(statement.locks, Locks::Class(_)) || identity::is_superuser(definer) {
        return None;
    }
    let grant = grant::read(&statement.text)?;
    if !grant.grantees.iter().any(|grantee| grantee == name) {
        return None;
    }
    let login = identity::find(name)?;
    let refused = objects(&grant)
        .into_iter()
        .find(|&object| !grant.took_effect(object, login))?;
    Some(StatementError::NoEffect {
        object: acl::describe(refused.catalog, refused.oid),
        definer: identity::name_of(definer).unwrap_or_else(|| definer.to_u32().to_string()),
    })
}

/// The objects that a grant is about now; none of a kind that is not looked into. Called with the rights and settings
/// that it runs with.
pub(super) fn objects(grant: &Grant) -> Vec<Object> {
    match &grant.targets {
        Targets::Objects(objects) => objects.clone(),
        Targets::AllRelations { schemas, sequences } => acl::relations(schemas, *sequences)
            .into_iter()
            .map(|oid| Object {
                catalog: pg_sys::RelationRelationId,
                oid,
            })
            .collect(),
        Targets::AllRoutines { schemas } => acl::routines(schemas)
            .into_iter()
            .map(|oid| Object {
                catalog: pg_sys::ProcedureRelationId,
                oid,
            })
            .collect(),
        Targets::Unknown => Vec::new(),
    }
}
