//! A refusal on its way to the client: a status and a text in one of the contract's forms (contract 1.8).

use serde_json::{Map, Value};

/// The two text forms of the contract, and none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultText {
    /// `{"errors":[]}`
    None,
    /// `{"errors":["x"]}`
    Raw(String),
    /// `{"errors":["1 error occurred:\n\t* x\n\n"]}`: a handler's error without a response.
    Multi(String),
}

/// Why a request was not served. Carries no secret and no echo of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// HTTP status.
    pub status: u16,
    /// What the client reads.
    pub text: FaultText,
    /// `data` beside the errors, where the contract has it.
    pub data: Option<Map<String, Value>>,
    /// `warnings` beside the errors.
    pub warnings: Vec<String>,
    /// What the log says in addition, where the client may not see it.
    pub detail: Option<String>,
}

impl Fault {
    fn with(status: u16, text: FaultText) -> Self {
        Fault {
            status,
            text,
            data: None,
            warnings: Vec::new(),
            detail: None,
        }
    }

    /// `status` with the bare text.
    pub fn raw(status: u16, text: impl Into<String>) -> Self {
        Self::with(status, FaultText::Raw(text.into()))
    }

    /// `status` with the multi-error form of the text.
    pub fn multi(status: u16, text: impl Into<String>) -> Self {
        Self::with(status, FaultText::Multi(text.into()))
    }

    /// `status` with an empty error list.
    pub fn empty(status: u16) -> Self {
        Self::with(status, FaultText::None)
    }

    /// 400 with the bare text: a handler's error response.
    pub fn bad(text: impl Into<String>) -> Self {
        Self::raw(400, text)
    }

    /// 403 as a token without rights sees it.
    pub fn denied() -> Self {
        Self::multi(403, "permission denied")
    }

    /// 403 as nobody, or a dead token, sees it.
    pub fn unknown_caller() -> Self {
        Self::raw(403, "permission denied")
    }

    /// 404 of an object that is not there, or of an empty list.
    pub fn absent() -> Self {
        Self::empty(404)
    }

    /// 404 of a path no endpoint has.
    pub fn unsupported_path() -> Self {
        Self::multi(404, "unsupported path")
    }

    /// 405 of an endpoint that does not serve the operation.
    pub fn unsupported_operation() -> Self {
        Self::multi(405, "unsupported operation")
    }

    /// 503 of everything but the few endpoints that work without keys.
    pub fn sealed() -> Self {
        Self::raw(503, "Vault is sealed")
    }

    /// 404 of a path no mount covers.
    pub fn no_route(path: &str) -> Self {
        Self::raw(
            404,
            format!("no handler for route \"{path}\". route entry not found."),
        )
    }

    /// 500 whose cause only the log may know.
    pub fn internal(detail: impl std::fmt::Display) -> Self {
        Fault {
            detail: Some(detail.to_string()),
            ..Self::multi(500, "internal error")
        }
    }

    /// Adds what the log should say besides.
    pub fn detailed(mut self, detail: impl std::fmt::Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// The strings of the `errors` array.
    pub fn errors(&self) -> Vec<String> {
        match &self.text {
            FaultText::None => Vec::new(),
            FaultText::Raw(text) => vec![text.clone()],
            FaultText::Multi(text) => vec![format!("1 error occurred:\n\t* {text}\n\n")],
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.text {
            FaultText::None => write!(f, "status {}", self.status),
            FaultText::Raw(text) | FaultText::Multi(text) => {
                write!(f, "status {}: {text}", self.status)
            }
        }
    }
}

impl std::error::Error for Fault {}

impl From<sqlx::Error> for Fault {
    /// The store refused a value, which the client can do something about; or it failed: the client learns that it may try again,
    /// the log learns why.
    fn from(error: sqlx::Error) -> Self {
        let code = match &error {
            sqlx::Error::Database(error) => error.code().map(|code| code.into_owned()),
            _ => None,
        };
        let refused = match code.as_deref() {
            Some("22021" | "22P05") => "a text holds the character NUL, which can not be stored",
            Some("22003" | "22008" | "22015") => "a number or duration is too large to be stored",
            Some("54000") => "a name or path is too long to be stored",
            _ => {
                return Fault::multi(
                    500,
                    "the store can not be reached or refused the statement; try again",
                )
                .detailed(error);
            }
        };
        Fault::bad(refused).detailed(error)
    }
}
