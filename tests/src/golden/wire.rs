//! One HTTP/1.1 exchange over a fresh connection, as plain as can be: scenarios use verbs, paths and headers that
//! a well-behaved client library would refuse to send.

use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Lower-case name and value, in order.
    pub headers: Vec<(String, String)>,
    /// Body, lossily decoded.
    pub text: String,
}

impl Answer {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

/// Sends `method target` with these headers and body to `address` (`127.0.0.1:8200`) and reads the answer to its end.
pub fn send(
    address: &str,
    method: &str,
    target: &str,
    headers: &[(String, String)],
    body: Option<&[u8]>,
) -> Result<Answer> {
    let given = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\n");
    if !given("connection") {
        request.push_str("Connection: close\r\n");
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    // A body with a transfer coding of its own goes out as it is.
    let usual = ["POST", "PUT", "PATCH"].contains(&method).then_some(0);
    if let Some(length) = body.map(<[u8]>::len).or(usual)
        && !given("transfer-encoding")
    {
        request.push_str(&format!("Content-Length: {length}\r\n"));
    }
    request.push_str("\r\n");
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(body.unwrap_or_default());
    exchange(address, &bytes, method == "HEAD")
}

/// Sends raw bytes and reads one answer, or whatever comes before the connection closes.
fn exchange(address: &str, bytes: &[u8], head: bool) -> Result<Answer> {
    let mut stream =
        TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(100)))?;
    // A server may answer and close before it has read everything (a body that is too large).
    let _ = stream.write_all(bytes);
    let mut seen = Vec::new();
    let mut part = [0; 16 * 1024];
    while !complete(&seen, head) {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(count) => seen.extend_from_slice(&part[..count]),
            Err(error) if seen.is_empty() => return Err(error).context("reading the answer"),
            Err(_) => break,
        }
    }
    parse(&seen, head)
}

/// True if the answer has a length and that much has come.
fn complete(seen: &[u8], head: bool) -> bool {
    let Some(end) = end_of_head(seen) else {
        return false;
    };
    let length = String::from_utf8_lossy(&seen[..end])
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok());
    head || length.is_some_and(|length| seen.len() >= end + 4 + length)
}

fn end_of_head(seen: &[u8]) -> Option<usize> {
    seen.windows(4).position(|w| w == b"\r\n\r\n")
}

/// Reads an answer from all that came; a body goes to the end, unless it is in chunks.
pub(super) fn parse(seen: &[u8], head: bool) -> Result<Answer> {
    let Some(end) = end_of_head(seen) else {
        bail!("the connection closed without an answer")
    };
    let top = String::from_utf8_lossy(&seen[..end]);
    let mut lines = top.split("\r\n");
    let status = lines
        .next()
        .and_then(|l| l.split(' ').nth(1))
        .and_then(|s| s.parse().ok())
        .context("a status line")?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|l| l.split_once(':'))
        .map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()))
        .collect();
    let chunked = headers
        .iter()
        .any(|(n, v)| n == "transfer-encoding" && v.eq_ignore_ascii_case("chunked"));
    let rest = &seen[end + 4..];
    let body = if head {
        Vec::new()
    } else if chunked {
        dechunk(rest)?
    } else {
        rest.to_vec()
    };
    Ok(Answer {
        status,
        headers,
        text: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn dechunk(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest
            .windows(2)
            .position(|w| w == b"\r\n")
            .context("a chunk size")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line])?.trim(), 16)?;
        rest = &rest[line + 2..];
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(rest.get(..size).context("a whole chunk")?);
        rest = rest.get(size + 2..).context("the end of a chunk")?;
    }
}
