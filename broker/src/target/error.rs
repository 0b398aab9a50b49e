//! What can go wrong with a target, and how much is known afterwards.

use sqlx::error::DatabaseError;

/// Refusals of the extension: SQLSTATEs of class `LH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// LH001
    UnknownRecipe,
    /// LH002: another digest, or a newer revision is there.
    OtherRecipe,
    /// LH003: not preloaded, or no heartbeat.
    NobodyEnforces,
    /// LH004: the login's name is taken or not allowed.
    LoginTaken,
    /// LH005: the lease has ended, or never was.
    LeaseEnded,
    /// LH006: past its maximum.
    PastMaximum,
    /// LH007: the request id was used for something else.
    RequestReused,
    /// LH008: may not hand that out, or may not act in that scope.
    NotAllowed,
    /// LH009: the request was cancelled before it came.
    Cancelled,
    /// LH010: a limit is reached; the message names it.
    LimitReached,
    /// LH011: the owner has ended.
    OwnerEnded,
}

impl Refusal {
    fn from_sqlstate(code: &str) -> Option<Self> {
        Some(match code {
            "LH001" => Refusal::UnknownRecipe,
            "LH002" => Refusal::OtherRecipe,
            "LH003" => Refusal::NobodyEnforces,
            "LH004" => Refusal::LoginTaken,
            "LH005" => Refusal::LeaseEnded,
            "LH006" => Refusal::PastMaximum,
            "LH007" => Refusal::RequestReused,
            "LH008" => Refusal::NotAllowed,
            "LH009" => Refusal::Cancelled,
            "LH010" => Refusal::LimitReached,
            "LH011" => Refusal::OwnerEnded,
            _ => return None,
        })
    }
}

/// What SQLSTATEs begin with that may pass: a server that only reads for now, serialisation, resources, locks, operator, system,
/// internal.
const PASSING: [&str; 7] = ["25006", "40", "53", "55", "57", "58", "XX"];

/// A call that did not succeed. Messages hold no secret: neither connection strings nor verifiers.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TargetError {
    /// No connection: nothing was asked.
    #[error("failed to connect to {address}: {why}")]
    Unreachable {
        /// `user=u database=d host:port`.
        address: String,
        /// The driver's words.
        why: String,
    },
    /// The connection broke, or the deadline passed, after the call was sent: it may have happened.
    #[error("no answer from the database: {0}")]
    Unknown(String),
    /// The extension said no.
    #[error("{message}")]
    Refused {
        /// Which of its reasons.
        refusal: Refusal,
        /// Its words, with the hint.
        message: String,
    },
    /// The server said no: the call was rolled back.
    #[error("ERROR: {message} (SQLSTATE {sqlstate})")]
    Sql {
        /// Five characters.
        sqlstate: String,
        /// The server's words, with the hint.
        message: String,
    },
    /// Reached, but not fit to serve; the text says which SQL to run.
    #[error("{0}")]
    Unfit(String),
}

impl TargetError {
    /// The refusal, if it is one.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            TargetError::Refused { refusal, .. } => Some(*refusal),
            _ => None,
        }
    }

    /// True where the target could not be asked, or did not answer: it may answer later.
    pub fn is_absence(&self) -> bool {
        matches!(
            self,
            TargetError::Unreachable { .. } | TargetError::Unknown(_)
        )
    }

    /// True where the call was rolled back for the sake of others (SQLSTATE class 40): it may be sent again.
    pub fn is_contention(&self) -> bool {
        matches!(self, TargetError::Sql { sqlstate, .. } if sqlstate.starts_with("40"))
    }

    /// True where the server said no for a reason that may pass: the same call may go well later.
    pub fn may_pass(&self) -> bool {
        matches!(self, TargetError::Sql { sqlstate, .. }
            if PASSING.iter().any(|class| sqlstate.starts_with(class)))
    }

    /// What a failed call says.
    pub(super) fn of_call(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => Self::of_server(&*error),
            other => TargetError::Unknown(other.to_string()),
        }
    }

    fn of_server(error: &dyn DatabaseError) -> Self {
        let sqlstate = error.code().unwrap_or_default().into_owned();
        let message = with_hint(error);
        if let Some(refusal) = Refusal::from_sqlstate(&sqlstate) {
            return TargetError::Refused { refusal, message };
        }
        // The server went away under the call: whether it had committed is not said.
        if sqlstate.starts_with("08") || sqlstate.starts_with("57P") {
            return TargetError::Unknown(message);
        }
        TargetError::Sql { sqlstate, message }
    }
}

fn with_hint(error: &dyn DatabaseError) -> String {
    let message = error.message().to_owned();
    match error
        .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
        .and_then(|error| error.hint())
    {
        Some(hint) => format!("{message} ({hint})"),
        None => message,
    }
}
