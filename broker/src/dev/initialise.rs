//! Makes a fresh broker usable, and gets the wanted root token.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use ureq::http::{HeaderValue, StatusCode};

use super::folder::{Folders, Notes};
use crate::secret::Token;
use crate::server::{self, Running};

/// Initialises the broker with the noted root token if it is new. Then, if another one is wanted, makes that one and
/// ends the noted one. Returns the one that holds, and notes it.
///
/// The wanted token is noted as the next one before it is made, so that a run that is killed at any point leaves notes
/// that name the token that lives.
pub(super) async fn root_token(
    broker: &Running,
    folders: &Folders,
    notes: &mut Notes,
    wanted: Option<Token>,
) -> Result<Token> {
    server::initialise_and_unseal(broker.core(), Some(notes.root_token()))
        .await
        .context("initialising the broker")?;
    let address = format!("http://{}", broker.address());
    if let Some(next) = notes.next_root_token() {
        let (address, known) = (address.clone(), notes.root_token());
        let holds = blocking(move || settle(&address, known, next)).await?;
        notes.set_root_token(&holds);
        notes.write(folders)?;
    }
    let known = notes.root_token();
    let Some(wanted) = wanted.filter(|wanted| !wanted.same_as(known.expose())) else {
        return Ok(known);
    };
    notes.set_next_root_token(&wanted);
    notes.write(folders)?;
    let holds = blocking(move || replace(&address, &known, wanted)).await?;
    notes.set_root_token(&holds);
    notes.write(folders)?;
    Ok(holds)
}

async fn blocking(work: impl FnOnce() -> Result<Token> + Send + 'static) -> Result<Token> {
    tokio::task::spawn_blocking(work).await?
}

/// Which of the two holds after a run that was killed while one took the other's place: the next one if it was made, and
/// then the other one ends as it would have.
fn settle(address: &str, known: Token, next: Token) -> Result<Token> {
    if !is_root(address, &next)? {
        return Ok(known);
    }
    if is_root(address, &known)? {
        end(address, &known)?;
    }
    Ok(next)
}

/// Whether this is a living root token. One of the same name that somebody made for other ends is none.
fn is_root(address: &str, token: &Token) -> Result<bool> {
    if HeaderValue::from_str(token.expose()).is_err() {
        // Whoever wanted it was refused, and the next start must not fail for it.
        return Ok(false);
    }
    let (status, answer) = ask(address, "GET", "auth/token/lookup-self", token, None)?;
    ensure!(
        status.is_success() || status.is_client_error(),
        "looking a root token up: {status}: {answer}"
    );
    let policies = answer.pointer("/data/policies").and_then(Value::as_array);
    Ok(policies.is_some_and(|all| all.iter().any(|one| one == "root")))
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
    end(address, known)?;
    Ok(wanted)
}

fn end(address: &str, token: &Token) -> Result<()> {
    call(address, "POST", "auth/token/revoke-self", token, None)
        .context("ending the root token of the last run")
}

/// A request that must succeed.
fn call(address: &str, method: &str, path: &str, token: &Token, body: Option<Value>) -> Result<()> {
    let (status, answer) = ask(address, method, path, token, body)?;
    // Errors of this API hold no secret; answers may, so only errors are shown.
    ensure!(status.is_success(), "{method} {path}: {status}: {answer}");
    Ok(())
}

/// Status and body of an answer, whatever it is; a body that is no JSON is null.
fn ask(
    address: &str,
    method: &str,
    path: &str,
    token: &Token,
    body: Option<Value>,
) -> Result<(StatusCode, Value)> {
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
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
}
