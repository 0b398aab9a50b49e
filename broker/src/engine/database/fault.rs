//! What a target's answer is over HTTP: the one place that decides (contract 7.6).

use crate::lease::LeaseError;
use crate::logical::Fault;
use crate::target::{Refusal, TargetError};

/// A credential that could not be made.
pub fn of_issue(error: LeaseError) -> Fault {
    match error {
        LeaseError::Fault(fault) => fault,
        LeaseError::Target(error) => of_target(&error),
    }
}

fn of_target(error: &TargetError) -> Fault {
    match error {
        TargetError::Unreachable { .. } => {
            Fault::multi(500, format!("unable to start transaction: {error}"))
        }
        TargetError::Unknown(_) => {
            Fault::multi(500, format!("{error}; nothing will remain of this attempt"))
        }
        TargetError::Unfit(_) => Fault::multi(503, error.to_string()),
        TargetError::Refused { refusal, message } => match refusal {
            Refusal::NobodyEnforces => Fault::multi(503, message),
            Refusal::OwnerEnded => Fault::unknown_caller(),
            _ => Fault::multi(400, message),
        },
        TargetError::Sql { sqlstate, message } => {
            let status = if error.may_pass() { 500 } else { 400 };
            let text = if sqlstate == "42501" && message.contains("define_role") {
                "the login of this connection may not define roles; as a superuser, run: GRANT leasehold_definer TO that login"
                    .to_owned()
            } else {
                format!("failed to execute query: {error}")
            };
            Fault::multi(status, text)
        }
    }
}

/// A connection that could not be used, as a configuration write says it.
pub fn of_verification(error: &TargetError) -> String {
    match error {
        TargetError::Unfit(why) if why.starts_with("cannot parse") => why.clone(),
        other => format!("error verifying connection: {other}"),
    }
}
