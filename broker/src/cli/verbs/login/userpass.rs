//! Login with a user name and a password.

use serde_json::json;
use zeroize::Zeroizing;

use super::parameters;
use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::secret::Secret;
use crate::cli::session::Session;
use crate::cli::{path, prompt};

const ABSENT: &str = "Error authenticating: no password given, and no terminal to ask on. Give it as \
                      password=..., or password=- to read it from standard input";

/// Logs in; the caller's own token is not shown.
pub fn log_in(session: &mut Session) -> Result<Secret, Fail> {
    let mut parameters = parameters(&session.arguments)?;
    let username = parameters
        .remove("username")
        .filter(|name| !name.is_empty())
        .ok_or_else(|| {
            Fail::Stopped("Error authenticating: 'username' must be specified".to_owned())
        })?;
    let password = match parameters.remove("password") {
        Some(password) => Zeroizing::new(password),
        None => prompt::secret(session, "Password", ABSENT)?,
    };
    let mount = path::trim(session.flags.text("path").unwrap_or("userpass"));
    let request = Request::put(format!("auth/{mount}/login/{username}"))
        .body(json!({"password": password.as_str()}));
    let client = session.client_with(None)?;
    let doing = "Error authenticating";
    let answer = client.send(&request).map_err(Fail::while_doing(doing))?;
    Secret::read(&answer.body).map_err(|error| Fail::Stopped(format!("{doing}: {error}")))
}
