//! A server that answers what it is told to, and remembers what it was asked.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context, Result};
use serde_json::Value;

/// One request, as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET`
    pub method: String,
    /// `/v1/…`, still encoded.
    pub path: String,
    /// Without the question mark.
    pub query: String,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    /// None for an empty body.
    pub body: Option<Value>,
}

/// Status and body; of a redirect, its target.
pub type Reply = (u16, String);

#[derive(Default)]
struct State {
    replies: VecDeque<Reply>,
    seen: Vec<Seen>,
}

/// The server; its thread ends with the process.
pub struct Stub {
    address: String,
    state: Arc<Mutex<State>>,
}

impl Stub {
    /// Listens on a free port.
    pub fn start() -> Result<Stub> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Err(error) = serve(stream, &shared) {
                    eprintln!("stub: {error:#}");
                }
            }
        });
        Ok(Stub { address, state })
    }

    /// `http://127.0.0.1:PORT`
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What to answer next, in this order.
    pub fn expect(&self, replies: Vec<Reply>) {
        let mut state = self.state.lock().unwrap();
        state.replies = replies.into();
        state.seen.clear();
    }

    /// What was asked since.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let method = words.next().context("a method")?.to_owned();
    let target = words.next().context("a target")?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(Ok(0), |(_, value)| value.parse())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = if body.is_empty() {
        None
    } else {
        Some(serde_json::from_slice(&body)?)
    };
    let (status, text) = {
        let mut state = state.lock().unwrap();
        state.seen.push(Seen {
            method,
            path,
            query,
            headers,
            body,
        });
        state
            .replies
            .pop_front()
            .unwrap_or((599, "nothing more was recorded".to_owned()))
    };
    let mut head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n");
    let body = match status {
        204 => "",
        301 | 302 | 307 => {
            head.push_str(&format!("Location: {text}\r\nContent-Length: 0\r\n"));
            ""
        }
        _ => {
            let length = text.len();
            head.push_str(&format!(
                "Content-Type: application/json\r\nContent-Length: {length}\r\n"
            ));
            &text
        }
    };
    let mut stream = reader.into_inner();
    stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
    Ok(())
}
