//! One request, in the contract's order of refusals (1.8).

use std::sync::Arc;

use super::{caller, fields, help, verdict};
use crate::authority;
use crate::core::Core;
use crate::duration::Span;
use crate::engine::{self, Engine};
use crate::lease;
use crate::logical::{
    Access, Call, Caller, Envelope, Fault, Guess, Matched, Operation, Outcome, Request, Response,
};
use crate::mount::{Mount, MountKind, MountState, MountTable};
use crate::store::callers::Found;
use crate::wrapping;

/// A request that has been served or refused, with what `http` needs to put it into an envelope.
#[derive(Debug)]
pub struct Served {
    /// The request, its operation settled.
    pub request: Request,
    /// What came of it.
    pub outcome: Outcome,
    /// The endpoint's pattern: what logs may say of the path, which itself may hold anything.
    pub endpoint: Option<&'static str>,
}

/// Where a path leads.
struct Route<'a> {
    mount: &'a Mount,
    engine: &'static Engine,
    matched: Option<Matched<'static>>,
}

impl Route<'_> {
    /// Whether the handler can have a guess proved.
    fn proves(&self) -> bool {
        self.matched
            .as_ref()
            .is_some_and(|matched| matched.spec.access == Access::ProvenToken)
    }
}

/// Serves a request.
pub async fn serve(core: &Arc<Core>, mut request: Request) -> Served {
    let mut trace = Trace::default();
    let outcome = run(core, &mut request, &mut trace).await;
    let outcome = match trace.spent {
        Some(token_id) => spend(core, token_id, outcome).await,
        None => outcome,
    };
    Served {
        request,
        outcome,
        endpoint: trace.endpoint,
    }
}

/// What is known of a request however it ends.
#[derive(Default)]
struct Trace {
    /// The endpoint's pattern.
    endpoint: Option<&'static str>,
    /// The token whose last use this was.
    spent: Option<i64>,
}

/// Ends a token after its last use. A lease made with that use has ended with it: its secret is not handed out.
async fn spend(core: &Arc<Core>, token_id: i64, outcome: Outcome) -> Outcome {
    if let Err(fault) = lease::end_owner(core, token_id).await {
        if let Ok(Some(response)) = outcome {
            undo(core, response);
        }
        return Err(fault);
    }
    match &outcome {
        Ok(Some(response))
            if response
                .lease
                .as_ref()
                .is_some_and(|lease| !lease.lease_id.is_empty()) =>
        {
            Err(Fault::bad(
                "Secret cannot be returned; token had one use left, so leased credentials were immediately revoked.",
            ))
        }
        _ => outcome,
    }
}

async fn run(core: &Arc<Core>, request: &mut Request, trace: &mut Trace) -> Outcome {
    if core.keys.is_sealed() {
        return Err(Fault::sealed());
    }
    if request.unknown_namespace {
        return Err(Fault::raw(404, "namespace not found"));
    }
    let writes = request.operation.is_write() || request.operation == Operation::Patch;
    if writes && request.path.ends_with('/') {
        return Err(Fault::bad("cannot write to a path ending in '/'"));
    }
    if wrapping::is_endpoint(&request.path) {
        wrapping::find(core, &wrapping::named(request)?).await?;
    }
    let shown = authority::Shown::of(core, request.client_token.as_ref())?;
    // Where the handler can have a guess proved, the read that a request begins with is spared. Nothing is told of a guess
    // that was not proved.
    let (revision, mounts) = core.reads.known_mounts();
    let mut known_route = route(&mounts, &request.path).ok().flatten();
    if known_route.as_ref().is_some_and(Route::proves)
        && let Some((found, guess)) = authority::guess(core, &shown, revision)
    {
        let began = Beginning {
            found: Some(found),
            mounts: &mounts,
            route: known_route.take(),
            guess: Some(&guess),
        };
        let outcome = decide(core, request, trace, began).await;
        if guess.is_proven() {
            return outcome;
        }
        *trace = Trace::default();
    }
    let front = authority::front(core, shown).await?;
    let route = match known_route {
        Some(route) if front.mounts_revision == revision => Some(route),
        _ => route(&front.mounts, &request.path)?,
    };
    if let Some(found) = &front.found
        && route.as_ref().is_some_and(Route::proves)
    {
        authority::remember(core, found);
    }
    let began = Beginning {
        found: front.found,
        mounts: &front.mounts,
        route,
        guess: None,
    };
    decide(core, request, trace, began).await
}

/// What a request begins with: who asks, if it is anybody, and where its path leads.
struct Beginning<'a> {
    found: Option<Found>,
    mounts: &'a MountTable,
    route: Option<Route<'a>>,
    guess: Option<&'a Guess>,
}

/// Everything from the verdict to the answer.
async fn decide(
    core: &Arc<Core>,
    request: &mut Request,
    trace: &mut Trace,
    began: Beginning<'_>,
) -> Outcome {
    let Beginning {
        found,
        mounts,
        route,
        guess,
    } = began;
    let spec = route
        .as_ref()
        .and_then(|route| route.matched.as_ref())
        .map(|matched| matched.spec);
    trace.endpoint = spec.map(|spec| spec.pattern);
    let access = match request.operation {
        Operation::Help => Access::Token,
        _ => spec.map_or(Access::Token, |spec| spec.access),
    };
    let mut caller: Option<Caller> = match access {
        Access::Unauthenticated => None,
        Access::Optional if request.client_token.is_none() => None,
        Access::Optional | Access::Token | Access::ProvenToken | Access::Sudo => {
            let found = caller::identify(core, request, found).await?;
            let identity = &found.identity;
            trace.spent = identity.token_id.filter(|_| identity.uses_left == Some(0));
            Some(verdict::with_rules(core, found).await?)
        }
    };

    // A write of an endpoint with an existence check is a create or an update, and its fields are read before it is judged.
    let existence = spec
        .and_then(|spec| spec.existence)
        .filter(|_| request.operation.is_write());
    if let (
        Some(exists),
        Some(Route {
            mount,
            matched: Some(matched),
            ..
        }),
    ) = (existence, &route)
    {
        let coerced =
            fields::coerce(matched.spec, &matched.captures, &request.body).map_err(Fault::bad)?;
        let call = Call {
            core,
            request,
            mount,
            mounts,
            captures: matched.captures.clone(),
            fields: coerced,
            caller: caller.as_ref(),
            guess,
        };
        let is_there = mount.state == MountState::Active && exists(&call).await?;
        request.operation = if is_there {
            Operation::Update
        } else {
            Operation::Create
        };
    }

    if let (Some(caller), Access::Token | Access::ProvenToken | Access::Sudo) =
        (caller.as_mut(), access)
    {
        verdict::judge(caller, request, access)?;
    }
    let Route {
        mount,
        engine,
        matched,
    } = route.ok_or_else(|| Fault::no_route(&request.path))?;
    if mount.state == MountState::Tainted {
        return Err(tainted(&request.path));
    }
    if request.operation == Operation::Help {
        return help::page(
            mount,
            engine,
            matched.as_ref().map(|matched| matched.spec),
            &request.path,
        );
    }
    let matched = matched.ok_or_else(Fault::unsupported_path)?;
    let handler = matched
        .spec
        .handler(request.operation)
        .ok_or_else(Fault::unsupported_operation)?;
    let coerced = fields::coerce(matched.spec, &matched.captures, &request.body)
        .map_err(|text| Fault::bad(format!("Field validation failed: {text}")))?;
    let is_list = request.operation == Operation::List;
    let warnings = fields::warnings(
        matched.spec,
        request.operation,
        &matched.captures,
        &request.body,
    );
    let call = Call {
        core,
        request,
        mount,
        mounts,
        captures: matched.captures,
        fields: coerced,
        caller: caller.as_ref(),
        guess,
    };
    let mut response = match handler(&call).await {
        Ok(Some(response)) => response,
        Ok(None) => return Ok(None),
        // What was ignored is told even when there is nothing to list.
        Err(fault) if is_list && fault == Fault::absent() && !warnings.is_empty() => Response {
            data: Some(serde_json::Map::new()),
            ..Response::default()
        },
        Err(fault) => return Err(fault),
    };
    response.warnings.extend(warnings);
    match request.wrap_ttl {
        Some(ttl) if is_wrapped(&response, caller.is_some()) => {
            wrapped(core, request, response, ttl).await
        }
        _ => Ok(Some(response)),
    }
}

/// Whether a response is wrapped, where that is asked for. Not for nobody: the store would be anybody's to fill, for as long
/// as they like; whoever signs in is somebody, though. Nor if there is nothing to keep but a status, which would be lost.
fn is_wrapped(response: &Response, by_somebody: bool) -> bool {
    let is_empty = response
        .raw
        .as_ref()
        .is_some_and(|raw| raw.bytes.is_empty());
    response.wrap_info.is_none() && !is_empty && (by_somebody || response.auth.is_some())
}

/// Keeps a response under a wrapping token, and answers with that.
async fn wrapped(core: &Arc<Core>, request: &Request, response: Response, ttl: Span) -> Outcome {
    let answer = match &response.raw {
        Some(raw) => Ok(raw.bytes.clone()),
        None => serde_json::to_vec(&Envelope::new(request.id, &response)).map_err(Fault::internal),
    };
    let kept = match answer {
        Ok(answer) => wrapping::wrap(core, &answer, ttl, &request.path).await,
        Err(fault) => Err(fault),
    };
    match kept {
        Ok(info) => Ok(Some(Response {
            wrap_info: Some(info),
            undelivered: response.undelivered,
            ..Response::default()
        })),
        Err(fault) => {
            undo(core, response);
            Err(fault)
        }
    }
}

/// A response that nobody gets: its client hears of a failure instead.
fn undo(core: &Arc<Core>, response: Response) {
    if let Some(undelivered) = response.undelivered {
        core.tasks.spawn(undelivered.into_future());
    }
}

/// The mount and the endpoint of a path.
fn route<'a>(mounts: &'a MountTable, path: &str) -> Result<Option<Route<'a>>, Fault> {
    let (kind, below) = match path.strip_prefix("auth/") {
        Some(below) => (MountKind::Auth, below),
        None => (MountKind::Secret, path),
    };
    let Some(mount) = mounts.covering(kind, below) else {
        return Ok(None);
    };
    let engine = engine::find(mount.kind, &mount.engine_type).ok_or_else(|| {
        Fault::internal(format!(
            "no engine of type {:?} in this version",
            mount.engine_type
        ))
    })?;
    let matched = engine
        .paths
        .find(below.strip_prefix(mount.path.as_str()).unwrap_or(""));
    Ok(Some(Route {
        mount,
        engine,
        matched,
    }))
}

fn tainted(path: &str) -> Fault {
    Fault::raw(
        404,
        format!(
            "no handler for route \"{path}\" on namespace \"\". route entry or namespace is tainted."
        ),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::logical::{Auth, WrapInfo};
    use crate::secret::Token;

    #[test]
    fn only_what_somebody_asks_for_and_is_something_is_wrapped() {
        let data = || Response::data(json!({ "a": 1 }));
        let check = |response: Response, by_somebody: bool, expect: bool| {
            assert_eq!(is_wrapped(&response, by_somebody), expect, "{response:?}");
        };
        check(data(), true, true);
        check(data(), false, false);
        check(Response::json(200, &json!({})), true, true);
        check(Response::json(200, &json!({})), false, false);
        check(Response::accepted(), true, false);
        let signed_in = Response {
            auth: Some(Auth {
                client_token: None,
                accessor: String::new(),
                policies: Vec::new(),
                metadata: None,
                lease_duration_seconds: 60,
                renewable: true,
                entity_id: String::new(),
                token_type: "service",
                orphan: true,
                num_uses: 0,
            }),
            ..Response::default()
        };
        check(signed_in, false, true);
        let rewrapped = Response {
            wrap_info: Some(WrapInfo {
                token: Token::new("t"),
                accessor: String::new(),
                ttl_seconds: 60,
                creation_time: String::new(),
                creation_path: String::new(),
                wrapped_accessor: None,
            }),
            ..Response::default()
        };
        check(rewrapped, true, false);
    }
}
