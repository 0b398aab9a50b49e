//! A request under way, whose client may leave before it is answered.

use anyhow::{Result, ensure};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::Actor;

/// How long a broker may take to see that a client has left, or to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request that was sent, and its connection.
pub struct Asking(TcpStream);

impl Asking {
    /// Sends GET of a path below `/v1/` to the broker at this address, as this actor.
    pub fn get(address: &str, actor: &Actor, path: &str) -> Result<Asking> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let token = actor.token().unwrap_or_default();
        write!(
            stream,
            "GET /v1/{path} HTTP/1.1\r\nHost: broker\r\nX-Vault-Token: {token}\r\nConnection: close\r\n\r\n"
        )?;
        Ok(Asking(stream))
    }

    /// The whole answer, from its status line on.
    pub fn answer(mut self) -> Result<String> {
        let mut answer = String::new();
        self.0.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Leaves, and comes back when the broker knows. Dropping the connection would not do: the child of another test has a
    /// copy of it between its fork and its exec, and as long the broker sees nobody leave.
    pub fn leave(self) -> Result<()> {
        self.0.shutdown(Shutdown::Write)?;
        let answer = self.answer()?;
        ensure!(
            answer.is_empty(),
            "it was answered before it was seen to leave"
        );
        Ok(())
    }
}
