//! One HTTP request, from its head to its reply.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue};
use tokio::sync::oneshot;

use super::body::{self, BodyError};
use super::delivery::Delivery;
use super::envelope::{self, Reply};
use super::intake::{self, Early, Head};
use super::query;
use crate::core::Core;
use crate::engine::system::special;
use crate::engine::system::special_call::SpecialCall;
use crate::logical::Fault;
use crate::pipeline;

/// Answers one request. The work runs as a task of its own: neither a client that goes away nor the end of its patience, after
/// which it is told so, stops it half-way.
pub(super) async fn answer(
    core: Arc<Core>,
    remote: SocketAddr,
    request: hyper::Request<Incoming>,
) -> hyper::Response<Delivery> {
    let (deliver, delivered) = oneshot::channel();
    let worker = core.clone();
    core.tasks.spawn(async move {
        let reply = reply(&worker, remote, request).await;
        // Nobody waits any more: the body is dropped here, and undone what must be.
        let _ = deliver.send(written(&worker, reply));
    });
    let request_max = core.settings.request_max;
    match tokio::time::timeout(request_max, delivered).await {
        Ok(Ok(response)) => response,
        Err(_) => {
            tracing::warn!(?request_max, "a request took too long");
            let text = format!(
                "no answer within {request_max:?}: what was asked for is still under way; a lease that comes of it is revoked"
            );
            written(&core, envelope::refusal(&Fault::raw(500, text)).into())
        }
        Ok(Err(_)) => {
            tracing::error!("a request's task ended without an answer");
            written(
                &core,
                envelope::refusal(&Fault::internal("the handler panicked")).into(),
            )
        }
    }
}

/// A reply, and whether it was refused before it was a request.
struct Outgoing {
    reply: Reply,
    /// Not what the rest of the answers carry: no cache header, or the end of the connection.
    before_routing: bool,
    close: bool,
}

impl From<Reply> for Outgoing {
    fn from(reply: Reply) -> Self {
        Outgoing {
            reply,
            before_routing: false,
            close: false,
        }
    }
}

impl From<Early> for Outgoing {
    fn from(early: Early) -> Self {
        let before_routing = matches!(early, Early::Malformed(_));
        let reply = match early {
            Early::Malformed(Some(text)) => Reply::plain(400, text),
            Early::Malformed(None) => Reply::bare(400),
            Early::Elsewhere => envelope::refusal(&Fault::absent()),
            Early::NoInterface => {
                Reply::plain(404, "there is no user interface here; the API is at /v1/\n")
            }
            Early::Refused(fault) => envelope::refusal(&fault),
        };
        Outgoing {
            reply,
            before_routing,
            close: before_routing,
        }
    }
}

impl From<BodyError> for Outgoing {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Outgoing {
                reply: envelope::refusal(&Fault::raw(413, "http: request body too large")),
                before_routing: true,
                close: true,
            },
            // Whatever is said now hardly reaches anybody.
            BodyError::Cut => Outgoing {
                close: true,
                ..Early::from(Fault::bad("the request's body ended early")).into()
            },
        }
    }
}

async fn reply(
    core: &Arc<Core>,
    remote: SocketAddr,
    request: hyper::Request<Incoming>,
) -> Outgoing {
    let began = Instant::now();
    let (parts, body) = request.into_parts();
    let head = Head {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        version: parts.version,
        headers: &parts.headers,
        remote: remote.ip(),
    };
    let (outgoing, endpoint) = match route(core, &head, body).await {
        Ok((outgoing, endpoint)) => (outgoing, endpoint),
        Err(early) => (early, None),
    };
    tracing::debug!(
        method = head.method,
        endpoint,
        status = outgoing.reply.status,
        micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        "answered"
    );
    outgoing
}

async fn route(
    core: &Arc<Core>,
    head: &Head<'_>,
    body: Incoming,
) -> Result<(Outgoing, Option<&'static str>), Outgoing> {
    intake::check_host(head.version, head.headers)?;
    let path = intake::logical_path(head.path)?;
    let pairs = query::pairs(head.query);
    let special = path.as_ref().ok().and_then(|path| special::find(path));
    let asks_help = intake::asks_help(head, &pairs);
    // Their help is in the engine's table, as everybody's.
    let special = special.filter(|_| !asks_help);
    if let Some(special) = special
        && !special.serves(head.method)
    {
        return Err(Early::from(Fault::empty(405)).into());
    }
    let operation = intake::operation(head, &pairs).map_err(Early::from)?;
    // Until it is served.
    let mut sent = None;
    let fields = if intake::takes_body(operation) {
        let whole = sent.insert(body::read(body).await?);
        let bytes = std::mem::take(&mut whole.bytes);
        intake::fields(head.headers, &bytes).map_err(Early::from)?
    } else {
        query::data(&pairs, head.method)
    };
    if let Some(special) = special {
        let call = SpecialCall {
            core,
            body: &fields,
            query: &pairs,
            token: intake::token(head.headers),
            is_write: operation.is_write(),
            remote: head.remote,
        };
        let reply = match special.run(&call).await {
            Ok(Some(response)) => match response.raw {
                Some(raw) => Reply {
                    content_type: raw.content_type,
                    bytes: raw.bytes,
                    ..Reply::bare(raw.status)
                },
                None => Reply::bare(204),
            },
            Ok(None) => Reply::bare(204),
            Err(fault) => refused(&fault, None),
        };
        return Ok((reply.into(), Some(special.path)));
    }
    let request = intake::request(head, path, operation, fields).map_err(Early::from)?;
    let served = pipeline::serve(core, request).await;
    let reply = match served.outcome {
        Ok(response) => envelope::response(&served.request, response),
        Err(fault) => refused(&fault, served.endpoint),
    };
    Ok((reply.into(), served.endpoint))
}

/// A refusal's reply; what only operators may know goes to the log.
fn refused(fault: &Fault, endpoint: Option<&'static str>) -> Reply {
    if let Some(detail) = &fault.detail {
        if fault.status >= 500 {
            tracing::error!(endpoint, status = fault.status, detail, "a request failed");
        } else {
            tracing::info!(
                endpoint,
                status = fault.status,
                detail,
                "a request was refused"
            );
        }
    }
    envelope::refusal(fault)
}

fn written(core: &Arc<Core>, outgoing: Outgoing) -> hyper::Response<Delivery> {
    let Outgoing {
        reply,
        before_routing,
        close,
    } = outgoing;
    let mut response =
        hyper::Response::new(Delivery::new(reply.bytes).or_else(core, reply.undelivered));
    *response.status_mut() =
        hyper::StatusCode::from_u16(reply.status).expect("statuses are written in this program");
    let headers = response.headers_mut();
    // The reference names JSON on empty answers, too.
    let usual = (!before_routing).then_some("application/json");
    if !before_routing {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(content_type) = reply.content_type.or(usual) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
