//! Everything that can be wrong with a call, as the caller sees it: a SQLSTATE, a message, and what to do about it.
//! No other error reaches the caller from our own code; what PostgreSQL itself raises passes through as it is.

use std::fmt;

/// Five characters of SQLSTATE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SqlState(pub [u8; 5]);

/// Why a verb refuses.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// LH001: there is no recipe of that name in the scope.
    #[error("there is no role \"{role}\" in scope \"{scope}\"")]
    UnknownRecipe {
        /// The recipe's name as the caller gave it.
        role: String,
        /// The scope it was looked for in.
        scope: String,
    },
    /// LH002: the recipe has another digest than the caller believes.
    #[error("role \"{role}\" is not the one of the digest given")]
    OtherRecipe {
        /// The recipe's name.
        role: String,
    },
    /// LH002: the store has a newer text of this recipe than the caller.
    #[error(
        "role \"{role}\" is defined with revision {stored}, which revision {given} may not replace"
    )]
    StaleRevision {
        /// The recipe's name.
        role: String,
        /// What is defined.
        stored: i64,
        /// What the caller brought.
        given: i64,
    },
    /// LH003: a login made now would have nobody to end it.
    #[error("nobody enforces leases in this database: {why}")]
    NobodyEnforces {
        /// What is missing.
        why: &'static str,
        /// The lines to run.
        cure: &'static str,
    },
    /// LH004: a login can not have that name.
    #[error("\"{login}\" can not be the name of a new login: {why}")]
    LoginName {
        /// The name asked for.
        login: String,
        /// Taken, too long, reserved.
        why: &'static str,
    },
    /// LH005: the lease has ended, or never was.
    #[error("lease \"{lease_id}\" has ended or is unknown")]
    Ended {
        /// The lease's id.
        lease_id: String,
    },
    /// LH006: there is no time left to give.
    #[error("lease is past its maximum: {why}")]
    PastMaximum {
        /// Which limit it is.
        why: &'static str,
    },
    /// LH007: the id belongs to another request.
    #[error("request id \"{request_id}\" can not be answered again: {why}")]
    RequestTaken {
        /// The id.
        request_id: String,
        /// What differs.
        why: &'static str,
    },
    /// LH008: not allowed, whatever PostgreSQL's own rights say.
    #[error("{what}")]
    MayNot {
        /// What may not be done, by whom.
        what: String,
        /// What would allow it.
        cure: String,
    },
    /// LH009: the request was settled before it came.
    #[error("request id \"{request_id}\" is cancelled")]
    Cancelled {
        /// The id.
        request_id: String,
    },
    /// LH010: a limit is reached.
    #[error("{what}")]
    Limit {
        /// The limit by its name.
        what: String,
        /// What to do.
        cure: String,
    },
    /// LH011: what the lease would belong to has ended.
    #[error("owner \"{owner}\" has ended")]
    OwnerEnded {
        /// The owner that has ended: the one named, or one above it.
        owner: String,
    },
    /// 55P03: another transaction holds the login's own row, perhaps one of the login's.
    #[error("login \"{login}\" is held by a transaction that stays open")]
    Held {
        /// The login's name.
        login: String,
    },
    /// 22023: an argument that makes no sense.
    #[error("{what}")]
    Argument {
        /// Which argument, and what is wrong with it.
        what: String,
        /// What would do.
        cure: String,
    },
    /// 42501: only a superuser.
    #[error("only a superuser may {what}")]
    NotSuperuser {
        /// What was tried.
        what: &'static str,
    },
    /// A statement text of a recipe that can not be used, with the SQLSTATE that says best what it is.
    #[error("{what}")]
    Statement {
        /// 42601, 0A000, or what PostgreSQL raised.
        state: SqlState,
        /// What is wrong with the text.
        what: String,
        /// What would do.
        cure: Option<String>,
    },
    /// XX000: our own tables are not as this library expects them.
    #[error("{0}")]
    Internal(String),
}

impl Fault {
    /// An argument that makes no sense, and what would do instead.
    pub fn argument(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::Argument {
            what: what.into(),
            cure: cure.into(),
        }
    }

    /// The SQLSTATE; programs decide by it and never by the message.
    pub fn state(&self) -> SqlState {
        SqlState(*match self {
            Self::UnknownRecipe { .. } => b"LH001",
            Self::OtherRecipe { .. } | Self::StaleRevision { .. } => b"LH002",
            Self::NobodyEnforces { .. } => b"LH003",
            Self::LoginName { .. } => b"LH004",
            Self::Ended { .. } => b"LH005",
            Self::PastMaximum { .. } => b"LH006",
            Self::RequestTaken { .. } => b"LH007",
            Self::MayNot { .. } => b"LH008",
            Self::Cancelled { .. } => b"LH009",
            Self::Limit { .. } => b"LH010",
            Self::OwnerEnded { .. } => b"LH011",
            Self::Held { .. } => b"55P03",
            Self::Argument { .. } => b"22023",
            Self::NotSuperuser { .. } => b"42501",
            Self::Statement { state, .. } => return *state,
            Self::Internal(_) => b"XX000",
        })
    }

    /// What the caller can do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::UnknownRecipe { .. } => {
                "Define it with leasehold.define_role(…); the view leasehold.roles shows what there is."
            }
            Self::OtherRecipe { .. } => {
                "It was defined anew meanwhile: read the digest from leasehold.define_role or the view leasehold.roles and try again."
            }
            Self::StaleRevision { .. } => {
                "A newer text of this role is in force; read the role from the store again and define that."
            }
            Self::NobodyEnforces { cure, .. } => cure,
            Self::LoginName { .. } => {
                "Give another name: at most 63 bytes, not beginning with pg_, and not that of a role that exists. Leave it out to have one made."
            }
            Self::Ended { .. } => "An ended lease stays ended: issue a new one.",
            Self::PastMaximum { .. } => "Issue a new lease.",
            Self::RequestTaken { .. } => "Use a new request id for a new request.",
            Self::Cancelled { .. } => "Use a new request id: this one will never be issued.",
            Self::OwnerEnded { .. } => "Nothing can be issued or renewed under it any more.",
            Self::Held { .. } => {
                "Try again; pg_stat_activity shows who is idle in a transaction, and pg_prepared_xacts what is prepared."
            }
            Self::NotSuperuser { .. } => "Ask a superuser of this database to do it.",
            Self::MayNot { cure, .. } | Self::Limit { cure, .. } | Self::Argument { cure, .. } => {
                return (!cure.is_empty()).then(|| cure.clone());
            }
            Self::Statement { cure, .. } => return cure.clone(),
            Self::Internal(_) => {
                "The extension's script and its library may be of different versions: run ALTER EXTENSION leasehold UPDATE, or restart the server."
            }
        };
        Some(text.to_owned())
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{}", byte as char)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Fault;

    #[test]
    fn every_fault_has_a_message_without_full_stop_and_a_hint_that_is_a_sentence() {
        let faults = [
            Fault::UnknownRecipe {
                role: "r".into(),
                scope: "sql".into(),
            },
            Fault::OtherRecipe { role: "r".into() },
            Fault::StaleRevision {
                role: "r".into(),
                stored: 2,
                given: 1,
            },
            Fault::LoginName {
                login: "x".into(),
                why: "it is taken",
            },
            Fault::Ended {
                lease_id: "l".into(),
            },
            Fault::PastMaximum {
                why: "it was issued too long ago",
            },
            Fault::RequestTaken {
                request_id: "i".into(),
                why: "another role",
            },
            Fault::Cancelled {
                request_id: "i".into(),
            },
            Fault::OwnerEnded { owner: "o".into() },
            Fault::NotSuperuser {
                what: "offer a group",
            },
        ];
        for fault in faults {
            let message = fault.to_string();
            assert!(!message.ends_with('.'), "{message}");
            let hint = fault.hint().expect("it has a cure");
            assert!(hint.ends_with('.'), "{hint}");
            assert_eq!(fault.state().to_string().len(), 5);
        }
    }
}
