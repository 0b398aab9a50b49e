//! Makes a fresh broker usable, and gets the wanted root token.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::secret::Token;
use crate::server::{self, Running};

/// Initialises the broker with the `known` root token if it is new. Then, if another one is wanted, makes that one and
/// ends the known one. Returns the one that holds.
pub(super) async fn root_token(
    broker: &Running,
    known: Token,
    wanted: Option<Token>,
) -> Result<Token> {
    server::initialise_and_unseal(broker.core(), Some(known.clone()))
        .await
        .context("initialising the broker")?;
    match wanted {
        Some(wanted) if !wanted.same_as(known.expose()) => {
            let address = format!("http://{}", broker.address());
            tokio::task::spawn_blocking(move || replace(&address, &known, wanted)).await?
        }
        _ => Ok(known),
    }
}

/// Makes the wanted root token with the known one, which then ends, over HTTP like any operator.
fn replace(address: &str, known: &Token, wanted: Token) -> Result<Token> {
    let body = json!({
        "id": wanted.expose(),
        "policies": ["root"],
        "no_parent": true,
        "display_name": "root",
    });
    call(address, "POST", "auth/token/create", known, Some(body))
        .context("making the wanted root token")?;
    call(address, "POST", "auth/token/revoke-self", known, None)
        .context("ending the root token of the last run")?;
    Ok(wanted)
}

fn call(
    address: &str,
    method: &str,
    path: &str,
    token: &Token,
    body: Option<Value>,
) -> Result<Value> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("{address}/v1/{path}"))
        .header("X-Vault-Token", token.expose());
    let text = body.map(|body| body.to_string()).unwrap_or_default();
    let mut answer = agent
        .run(request.body(text)?)
        .with_context(|| format!("{method} {path}"))?;
    let status = answer.status();
    let text = answer.body_mut().read_to_string()?;
    // Errors of this API hold no secret; answers may, so only errors are shown.
    ensure!(status.is_success(), "{method} {path}: {status}: {text}");
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}
