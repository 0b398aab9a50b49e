//! Requests as raw bytes, for what no HTTP client would send: `raw-http.jsonl`, one a line.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use super::compare::{Difference, differ};
use super::mask::{Variables, mask};
use super::wire::{Answer, parse, send};

/// Stands for the file among the names of scenarios.
pub const NAME: &str = "raw-http";
/// What it is about.
pub const ABOUT: &str = "requests as raw bytes: request lines, Host, framing, header limits, what closes the connection";

/// How long nothing may come before the connection counts as kept open.
const SILENCE: Duration = Duration::from_millis(700);
/// Where some requests read and write.
const PLACE: &str = "/v1/cubbyhole/raw";

/// One request and what was seen.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    about: String,
    send: Send,
    status: u16,
    content_type: Option<String>,
    /// As it came after the first head: of pipelined requests, the second answer's head is in here.
    body: String,
    /// The server closed the connection.
    closed: bool,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Send {
    Whole(String),
    /// Too long to be written down: its beginning, its length, and what it is.
    Long {
        head: String,
        bytes: usize,
        what: String,
    },
}

impl Line {
    /// What it is.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// The bytes, without variables filled in (the recorded length counts `{root}` as it stands).
    fn bytes(&self) -> Result<String> {
        let (head, bytes, what) = match &self.send {
            Send::Whole(text) => return Ok(text.clone()),
            Send::Long { head, bytes, what } => (head, *bytes, what.as_str()),
        };
        let get = "GET /v1/sys/init HTTP/1.1\r\nHost: a\r\n";
        let text = match what {
            "many headers" => {
                let lines: String = (0..5000).map(|n| format!("X-{n}: y\r\n")).collect();
                format!("{get}{lines}\r\n")
            }
            "1MB header" => format!("{get}X-A: {}\r\n\r\n", "z".repeat(1_200_000)),
            "900KB header" => format!("{get}X-A: {}\r\n\r\n", "z".repeat(900_000)),
            "34MB body" => {
                let long = 33 << 20;
                format!(
                    "PUT {PLACE} HTTP/1.1\r\nHost: x\r\nX-Vault-Token: {{root}}\r\nContent-Length: {long}\r\n\r\n{}",
                    "x".repeat(long)
                )
            }
            other => anyhow::bail!("{other}: not known how to make it"),
        };
        ensure!(
            text.len() == bytes && text.starts_with(head),
            "{what}: {} bytes where {bytes} were sent",
            text.len()
        );
        Ok(text)
    }
}

/// All lines.
pub fn load(folder: &Path) -> Result<Vec<Line>> {
    let file = folder.join(format!("{NAME}.jsonl"));
    let text =
        std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    text.lines()
        .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
        .collect()
}

/// Sends it and says what differs. What was recorded began with `{"a": 1}` at [`PLACE`].
pub fn replay(line: &Line, address: &str, root: &str) -> Result<Vec<Difference>> {
    let headers = [("X-Vault-Token".to_owned(), root.to_owned())];
    send(address, "PUT", PLACE, &headers, Some(br#"{"a":1}"#))?;
    let request = line.bytes()?.replace("{root}", root);
    let found = match exchange(address, request.as_bytes()) {
        Ok((answer, closed)) => judge(line, &answer, closed),
        Err(error) => {
            let text = format!("want {} got no answer: {error:#}", line.status);
            vec![Difference::new("status", text)]
        }
    };
    send(address, "DELETE", PLACE, &headers, None)?;
    Ok(found)
}

/// The first answer with all that follows it, and whether the server closed the connection.
fn exchange(address: &str, bytes: &[u8]) -> Result<(Answer, bool)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SILENCE))?;
    // A server may answer and close before it has read everything.
    let _ = stream.write_all(bytes);
    let mut seen = Vec::new();
    let mut part = [0; 4096];
    let closed = loop {
        match stream.read(&mut part) {
            Ok(0) => break true,
            Ok(count) => seen.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                break !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            }
        }
    };
    Ok((parse(&seen, false)?, closed))
}

fn judge(line: &Line, answer: &Answer, closed: bool) -> Vec<Difference> {
    let mut out = Vec::new();
    if answer.status != line.status {
        let text = format!(
            "want {} got {} {:?}",
            line.status, answer.status, answer.text
        );
        return vec![Difference::new("status", text)];
    }
    let (want, got) = (line.content_type.as_deref(), answer.header("content-type"));
    if want != got {
        let text = format!("want {want:?} got {got:?}");
        out.push(Difference::new("header content-type", text));
    }
    if closed != line.closed {
        let text = format!("want {} got {closed}", line.closed);
        out.push(Difference::new("closed", text));
    }
    let (want, got) = (bodies(&line.body), bodies(&answer.text));
    differ(&want.into(), &got.into(), ".body", &mut out);
    out
}

/// The bodies of this and of following answers: JSON masked, other text as it is.
fn bodies(text: &str) -> Vec<Value> {
    let mut bodies = Vec::new();
    let mut rest = text;
    while let Some((body, next)) = rest.split_once("HTTP/1.1 ") {
        bodies.push(body);
        rest = next.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    }
    bodies.push(rest);
    bodies
        .into_iter()
        .map(|body| match serde_json::from_str::<Value>(body) {
            Ok(value) => mask(&value, "", &Variables::default()),
            Err(_) => Value::String(body.to_owned()),
        })
        .collect()
}
