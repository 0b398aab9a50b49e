//! The HTTP client: sends one request, as recorded from the command lines of this API, and reads the
//! answer. It knows no paths.

mod connect;
mod curl;
mod error;
mod policy;
mod proxy;

use std::thread;
use std::time::Duration;

use serde_json::Value;

pub use self::error::ClientError;
use self::proxy::Proxies;
use super::environment::Environment;
use super::flags::{self, Flags};
use super::path;
use crate::secret::Token;

/// Where a server is looked for when nobody says.
const DEFAULT_ADDRESS: &str = "https://127.0.0.1:8200";
/// How long one request may take, unless set.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// Pause before the first repetition; the second waits half as long again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// How a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read, and list.
    Get,
    /// Write.
    Put,
    /// Write, where the recorded command lines say POST.
    Post,
    /// Delete.
    Delete,
    /// Merge into what is there.
    Patch,
}

/// One request.
#[derive(Debug)]
pub struct Request {
    /// How.
    pub method: Method,
    /// Path below `/v1/`, as users write it.
    pub path: String,
    /// Query.
    pub query: Vec<(String, String)>,
    /// Body; without one nothing is sent, not even `{}`.
    pub body: Option<Value>,
}

/// A server's answer that is no refusal.
#[derive(Debug)]
pub struct Answer {
    /// 200, 202, 204 ...
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// What is printed instead of sending.
#[derive(Clone, Copy, Debug)]
enum Showing {
    Curl,
    Policy,
}

/// Speaks to one server with one token.
pub struct Client {
    agent: ureq::Agent,
    proxies: Proxies,
    base: String,
    headers: Vec<(String, String)>,
    token: Option<Token>,
    retries: u64,
    server_name: Option<String>,
    redirects: bool,
    shows: Option<Showing>,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Put => "PUT",
            Method::Post => "POST",
            Method::Delete => "DELETE",
            Method::Patch => "PATCH",
        }
    }
}

impl Request {
    /// A request without query and body.
    pub fn new(method: Method, path: impl Into<String>) -> Request {
        Request {
            method,
            path: path.into(),
            query: Vec::new(),
            body: None,
        }
    }

    /// `GET path`.
    pub fn get(path: impl Into<String>) -> Request {
        Request::new(Method::Get, path)
    }

    /// `GET path?list=true`.
    pub fn list(path: impl Into<String>) -> Request {
        Request::get(path).query("list", "true")
    }

    /// `PUT path`.
    pub fn put(path: impl Into<String>) -> Request {
        Request::new(Method::Put, path)
    }

    /// `POST path`.
    pub fn post(path: impl Into<String>) -> Request {
        Request::new(Method::Post, path)
    }

    /// `DELETE path`.
    pub fn delete(path: impl Into<String>) -> Request {
        Request::new(Method::Delete, path)
    }

    /// The same, with a body.
    pub fn body(mut self, body: Value) -> Request {
        self.body = Some(body);
        self
    }

    /// The same, with one more pair in the query.
    pub fn query(mut self, key: &str, value: &str) -> Request {
        self.query.push((key.to_owned(), value.to_owned()));
        self
    }

    fn url(&self, base: &str) -> String {
        let url = format!("{base}/v1/{}", path::encode(&self.path));
        match path::encode_query(&self.query) {
            query if query.is_empty() => url,
            query => format!("{url}?{query}"),
        }
    }
}

impl Client {
    /// A client as flags and environment say, with the token to show.
    pub fn new(
        flags: &Flags,
        environment: &Environment,
        token: Option<Token>,
    ) -> Result<Client, ClientError> {
        let base = flags
            .text("address")
            .unwrap_or(DEFAULT_ADDRESS)
            .trim_end_matches('/');
        let base = connect::check_address(base)?;
        let mut headers = vec![("X-Vault-Request".to_owned(), "true".to_owned())];
        if let Some(namespace) = flags.text("namespace") {
            headers.push(("X-Vault-Namespace".to_owned(), path::mount(namespace)));
        }
        if let Some(ttl) = flags.duration("wrap-ttl") {
            headers.push(("X-Vault-Wrap-TTL".to_owned(), flags::wire_duration(ttl)));
        }
        for (name, value) in flags.pairs("header").into_iter().flatten() {
            if name.to_ascii_lowercase().starts_with("x-vault-") {
                return Err(ClientError::Header(name.clone()));
            }
            headers.push((name.clone(), value.clone()));
        }
        let timeout = flags
            .duration("timeout")
            .and_then(|span| u64::try_from(span.nanos()).ok())
            .filter(|nanos| *nanos > 0)
            .map_or(DEFAULT_TIMEOUT, Duration::from_nanos);
        Ok(Client {
            agent: connect::agent(flags, &base, timeout)?,
            proxies: Proxies::read(environment),
            base,
            headers,
            token,
            server_name: flags.text("tls-server-name").map(str::to_owned),
            retries: flags.number("max-retries").unwrap_or(0),
            redirects: !flags.is_on("disable-redirects"),
            shows: match (
                flags.is_on("output-curl-string"),
                flags.is_on("output-policy"),
            ) {
                (true, _) => Some(Showing::Curl),
                (_, true) => Some(Showing::Policy),
                _ => None,
            },
        })
    }

    /// Sends, follows one redirect, and asks again as often as allowed while the server is not well.
    /// A status of 400 and above is a refusal.
    pub fn send(&self, request: &Request) -> Result<Answer, ClientError> {
        let url = request.url(&self.base);
        match self.shows {
            None => {}
            Some(Showing::Curl) => {
                return Err(ClientError::Shown(curl::command(self, request, &url)));
            }
            Some(Showing::Policy) => return Err(ClientError::Shown(policy::needed(request))),
        }
        let mut pause = RETRY_PAUSE;
        let mut left = self.retries;
        loop {
            let result = self.follow(request, &url);
            let again = left > 0
                && match &result {
                    Ok(answer) => is_worth_a_retry(answer.status),
                    Err(ClientError::Unreachable { .. }) => true,
                    Err(_) => false,
                };
            if !again {
                let answer = result?;
                return if answer.status < 400 {
                    Ok(answer)
                } else {
                    let sent_token = self.token.is_some();
                    Err(ClientError::refused(
                        request.method.name(),
                        url,
                        answer,
                        sent_token,
                    ))
                };
            }
            left -= 1;
            thread::sleep(pause);
            pause = RETRY_PAUSE.mul_f32(1.5);
        }
    }

    /// As [`send`](Self::send), but "not found" is `None`, with what the server said about it.
    pub fn find(&self, request: &Request) -> Result<Result<Answer, Vec<String>>, ClientError> {
        match self.send(request) {
            Ok(answer) => Ok(Ok(answer)),
            Err(ClientError::Refused {
                status: 404,
                reasons,
                ..
            }) => Ok(Err(reasons)),
            Err(error) => Err(error),
        }
    }

    fn follow(&self, request: &Request, url: &str) -> Result<Answer, ClientError> {
        let (answer, location) = self.once(request, url)?;
        let Some(location) = location.filter(|_| matches!(answer.status, 301 | 302 | 307)) else {
            return Ok(answer);
        };
        if !self.redirects {
            return Err(ClientError::Redirect {
                location,
                why: "redirects are switched off",
            });
        }
        let target = connect::resolve_redirect(url, &location)?;
        let (answer, _) = self.once(request, &target)?;
        if matches!(answer.status, 301 | 302 | 307) {
            return Err(ClientError::Redirect {
                location,
                why: "it leads to another redirect",
            });
        }
        Ok(answer)
    }

    /// The proxy for this URL; each has its own, since a redirect may lead to another scheme or host.
    fn proxy(&self, url: &str) -> Result<Option<ureq::Proxy>, ClientError> {
        match (&self.server_name, self.proxies.variable(url)) {
            // The proxy would be asked for the name of the certificate, not for the server.
            (Some(_), Some((variable, _))) => Err(ClientError::Proxy {
                variable,
                why: "it does not go with -tls-server-name; NO_PROXY lists hosts that are reached without a proxy",
            }),
            _ => self.proxies.choose(url),
        }
    }

    /// Sends one request, by this proxy.
    fn run(
        &self,
        request: ureq::http::Result<ureq::http::Request<impl ureq::AsSendBody>>,
        proxy: Option<ureq::Proxy>,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let request = self.agent.configure_request(request?).proxy(proxy).build();
        self.agent.run(request)
    }

    fn once(&self, request: &Request, url: &str) -> Result<(Answer, Option<String>), ClientError> {
        let unreachable = |error: ureq::Error| ClientError::unreachable(url, &error);
        let proxy = self.proxy(url)?;
        let wire_url = match &self.server_name {
            Some(name) => connect::rename_host(url, name)?,
            None => url.to_owned(),
        };
        let mut builder = ureq::http::Request::builder()
            .method(request.method.name())
            .uri(wire_url);
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        if let Some(token) = &self.token {
            let mut value = ureq::http::HeaderValue::from_str(token.expose())
                .map_err(|_| ClientError::Token)?;
            value.set_sensitive(true);
            builder = builder.header("X-Vault-Token", value);
        }
        if request.method == Method::Patch {
            builder = builder.header("Content-Type", "application/merge-patch+json");
        }
        let body = request
            .body
            .as_ref()
            .map(|body| body.to_string().into_bytes());
        let response = match body {
            Some(body) => self.run(builder.body(body), proxy),
            None => self.run(builder.body(()), proxy),
        };
        let mut response = response.map_err(unreachable)?;
        let location = response.headers().get("location");
        let location = location
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let status = response.status().as_u16();
        let body = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_vec();
        Ok((
            Answer {
                status,
                body: body.map_err(unreachable)?,
            },
            location,
        ))
    }
}

fn is_worth_a_retry(status: u16) -> bool {
    matches!(status, 412 | 429) || (status >= 500 && status != 501)
}
