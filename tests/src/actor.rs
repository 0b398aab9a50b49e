//! Somebody who speaks HTTP to a broker: nobody, an app, an admin, root.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::golden;

/// A caller with a token, or without.
#[derive(Clone, Debug)]
pub struct Actor {
    address: String,
    token: Option<String>,
}

/// What the broker answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was asked, for messages.
    request: String,
    /// HTTP status.
    pub status: u16,
    /// Lower-case names and values.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub text: String,
    /// The body as JSON; null if it is none.
    pub body: Value,
}

impl Actor {
    /// A caller of the broker at this address (`127.0.0.1:8200`, or with `http://` before it).
    pub fn new(address: &str, token: Option<&str>) -> Actor {
        Actor {
            address: address.trim_start_matches("http://").to_owned(),
            token: token.map(str::to_owned),
        }
    }

    /// The same broker, another token.
    pub fn with_token(&self, token: &str) -> Actor {
        Actor::new(&self.address, Some(token))
    }

    /// The token shown, if any.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// GET of a path below `/v1/`.
    pub fn get(&self, path: &str) -> Result<Answer> {
        self.send("GET", path, None)
    }

    /// LIST of a path below `/v1/`.
    pub fn list(&self, path: &str) -> Result<Answer> {
        self.send("LIST", path, None)
    }

    /// PUT of a JSON body.
    pub fn put(&self, path: &str, body: Value) -> Result<Answer> {
        self.send("PUT", path, Some(body))
    }

    /// POST of a JSON body.
    pub fn post(&self, path: &str, body: Value) -> Result<Answer> {
        self.send("POST", path, Some(body))
    }

    /// DELETE of a path.
    pub fn delete(&self, path: &str) -> Result<Answer> {
        self.send("DELETE", path, None)
    }

    /// Any method. An HTTP error status is an [`Answer`], not an `Err`.
    pub fn send(&self, method: &str, path: &str, body: Option<Value>) -> Result<Answer> {
        let target = format!("/v1/{path}");
        let mut headers = Vec::new();
        if let Some(token) = &self.token {
            headers.push(("X-Vault-Token".to_owned(), token.clone()));
        }
        let body = body.map(|body| body.to_string().into_bytes());
        let seen = golden::send(&self.address, method, &target, &headers, body.as_deref())
            .with_context(|| format!("{method} {path}"))?;
        Ok(Answer {
            request: format!("{method} {path}"),
            status: seen.status,
            body: serde_json::from_str(&seen.text).unwrap_or(Value::Null),
            text: seen.text,
            headers: seen.headers,
        })
    }
}

impl Answer {
    /// The answer itself if it has this status, else an error that shows it.
    pub fn expect(self, status: u16) -> Result<Answer> {
        ensure!(
            self.status == status,
            "{}: status {}, want {status}: {}",
            self.request,
            self.status,
            self.text
        );
        Ok(self)
    }

    /// The value at a JSON pointer (`/data/username`); an error if there is none.
    pub fn at(&self, pointer: &str) -> Result<&Value> {
        self.body
            .pointer(pointer)
            .with_context(|| format!("{}: nothing at {pointer} in {}", self.request, self.text))
    }

    /// The text at a JSON pointer.
    pub fn text_at(&self, pointer: &str) -> Result<String> {
        let value = self.at(pointer)?;
        let text = value.as_str();
        Ok(text
            .with_context(|| format!("{}: {pointer} is {value}", self.request))?
            .to_owned())
    }
}
