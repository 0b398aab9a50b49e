//! What can be wrong with a text, or with its outcome. Errors that a statement itself meets are PostgreSQL's own
//! and pass through as they are; these are ours.

use crate::core::error::{Fault, SqlState};
use crate::core::template::PlaceError;

/// Why a text, or a statement of it, is refused. Holds no value of a placeholder.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StatementError {
    /// Nothing but blanks, semicolons and comments.
    #[error("the creation statements are blank")]
    Blank,
    /// More than anybody needs.
    #[error("the statements are too long: at most {max} {unit} are taken")]
    TooLong {
        /// How many.
        max: usize,
        /// Of what.
        unit: &'static str,
    },
    /// A value can not be written where the text wants it.
    #[error("{0}")]
    Place(#[from] PlaceError),
    /// The value of a placeholder would change how the text around it is read.
    #[error("the login's name would change how the statements are read")]
    NameChangesText,
    /// A kind of statement that does not run here, and what does instead.
    #[error("{what} cannot be used in the statements of a role")]
    Refused {
        /// What stands in the text.
        what: &'static str,
        /// What to write instead.
        instead: &'static str,
    },
    /// PostgreSQL refused it because of the restricted context.
    #[error("{message}")]
    Restricted {
        /// PostgreSQL's own words.
        message: String,
    },
    /// A `GRANT` that came to nothing, wholly or in part.
    #[error("the grant on {object} did not take effect: {definer} may not grant it")]
    NoEffect {
        /// On what.
        object: String,
        /// As whom it ran.
        definer: String,
    },
    /// One table's access list is full.
    #[error("too many logins hold grants of their own on {object}: its access list is full")]
    AccessListFull {
        /// The table.
        object: String,
    },
}

impl StatementError {
    /// The SQLSTATE it is reported under: of class 42, for a text is wrong until somebody changes it.
    fn state(&self) -> SqlState {
        SqlState(*match self {
            StatementError::Restricted { .. } | StatementError::NoEffect { .. } => b"42501",
            StatementError::Place(_) | StatementError::NameChangesText => b"42602",
            StatementError::Refused { .. } => b"42P14",
            StatementError::Blank
            | StatementError::TooLong { .. }
            | StatementError::AccessListFull { .. } => b"42601",
        })
    }

    /// A sentence on what to do.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            StatementError::Blank => {
                "Write what makes the login, such as CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}', or give the role groups by member_of."
            }
            StatementError::TooLong { .. } => "Put the work into a function and call that.",
            StatementError::Place(PlaceError::BareInDollarQuotes(_)) => {
                "Write \"{{name}}\" for an identifier and '{{password}}' or '{{expiration}}' for a literal."
            }
            StatementError::Place(PlaceError::UnicodeQuotes(_) | PlaceError::BitString(_)) => {
                "Use plain quotes."
            }
            StatementError::Place(_) | StatementError::NameChangesText => {
                "Choose a login name of letters, digits, '-' and '_'."
            }
            StatementError::Refused { instead, .. } => instead,
            StatementError::Restricted { .. } => {
                "Statements run with the rights of whoever defined the role, and can neither change to another role nor leave anything behind in the session."
            }
            StatementError::NoEffect { .. } => {
                "Let a role define it that may grant this (the owner, one with GRANT OPTION, or a superuser)."
            }
            StatementError::AccessListFull { .. } => {
                "Grant to a group once and make the logins its members: member_of, or GRANT the_group TO \"{{name}}\"."
            }
        }
    }
}

impl From<StatementError> for Fault {
    fn from(error: StatementError) -> Self {
        let (what, cure) = (error.to_string(), error.hint().to_owned());
        match error {
            StatementError::AccessListFull { .. } => Fault::Limit { what, cure },
            _ => Fault::Statement {
                state: error.state(),
                what,
                cure: Some(cure),
            },
        }
    }
}
