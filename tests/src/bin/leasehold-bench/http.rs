//! A client of the broker that costs next to nothing: HTTP/1.1 with keep-alive, prepared requests, answers by length.

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A request as bytes.
pub fn request(method: &str, path: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} /v1/{path} HTTP/1.1\r\nHost: bench\r\nX-Vault-Token: {token}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Client {
    pub async fn connect(address: &str) -> Result<Client> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Client {
            stream,
            buffer: Vec::with_capacity(4_096),
        })
    }

    /// Sends one request and gives the body of its answer, which must be a success.
    pub async fn send(&mut self, request: &[u8]) -> Result<&str> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (status, begin, end) = loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the broker closed the connection");
            }
            if let Some(head) = find(&self.buffer, b"\r\n\r\n") {
                let text = std::str::from_utf8(&self.buffer[..head])?;
                let status: u16 = text
                    .get(9..12)
                    .context("a status line")?
                    .parse()
                    .context("a status")?;
                break (status, head + 4, head + 4 + length(text)?);
            }
        };
        while self.buffer.len() < end {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the broker closed the connection within an answer");
            }
        }
        let body = std::str::from_utf8(&self.buffer[begin..end])?;
        if !(200..300).contains(&status) {
            bail!("status {status}: {body}");
        }
        Ok(body)
    }
}

fn length(head: &str) -> Result<usize> {
    for line in head.lines() {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            return Ok(value.trim().parse()?);
        }
    }
    Ok(0)
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// The text of a field in an answer. Field names here occur once.
pub fn text<'a>(body: &'a str, field: &str) -> Result<&'a str> {
    let begin = body
        .find(&format!("\"{field}\":\""))
        .with_context(|| format!("{field} in {body}"))?
        + field.len()
        + 4;
    let end = body[begin..].find('"').context("an end quote")?;
    Ok(&body[begin..begin + end])
}
