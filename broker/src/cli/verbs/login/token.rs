//! Login with a token: the server says whose it is.

use std::io::{self, Read};

use serde_json::Value;

use super::parameters;
use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::prompt;
use crate::cli::secret::{Auth, Secret};
use crate::cli::session::Session;
use crate::secret::Token;

const ABSENT: &str = "Error authenticating: no token given, and no terminal to ask on. Give it as the \
                      argument, or - to read it from standard input";

/// Checks a token; the answer has the form of one that made a token.
pub fn log_in(session: &mut Session) -> Result<Secret, Fail> {
    let token = given(session)?;
    let doing = "Error authenticating: error looking up token";
    let client = session.client_with(Some(token.clone()))?;
    let answer = client.send(&Request::get("auth/token/lookup-self"));
    let answer = answer.map_err(Fail::while_doing(doing))?;
    let looked_up =
        Secret::read(&answer.body).map_err(|error| Fail::Stopped(format!("{doing}: {error}")))?;
    if looked_up.wrap_info.is_some() {
        return Ok(looked_up);
    }
    let data = looked_up.data.unwrap_or_default();
    let text = |key: &str| {
        data.get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let texts = |key: &str| {
        let items = data.get(key)?.as_array()?;
        Some(
            items
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        )
    };
    let auth = Auth {
        client_token: token.expose().to_owned(),
        accessor: text("accessor"),
        policies: texts("policies"),
        token_policies: texts("policies"),
        identity_policies: texts("identity_policies"),
        metadata: data.get("meta").and_then(Value::as_object).cloned(),
        entity_id: text("entity_id"),
        lease_duration: data.get("ttl").and_then(Value::as_i64).unwrap_or_default(),
        renewable: data
            .get("renewable")
            .and_then(Value::as_bool)
            .unwrap_or_default(),
        ..Auth::default()
    };
    Ok(Secret {
        auth: Some(auth),
        ..Secret::default()
    })
}

fn given(session: &mut Session) -> Result<Token, Fail> {
    let token = match session.arguments.as_slice() {
        [] => Token::new(prompt::secret(session, "Token", ABSENT)?.as_str()),
        [only] if only == "-" => {
            let mut text = String::new();
            io::stdin().lock().read_to_string(&mut text)?;
            Token::new(text.trim())
        }
        [only] if !only.contains('=') => Token::new(only.trim()),
        arguments => {
            let mut parameters = parameters(arguments)?;
            let token = parameters.remove("token").unwrap_or_default();
            Token::new(token.trim())
        }
    };
    if token.expose().is_empty() {
        return Err(Fail::Stopped(
            "Error authenticating: the token is empty".to_owned(),
        ));
    }
    Ok(token)
}
