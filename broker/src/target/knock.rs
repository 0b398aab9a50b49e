//! Is anybody there at all? A bare connection to the server's socket, made only when the pool lets one wait.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};

/// The pool may take so long before anybody knocks.
const FIRST_AFTER: Duration = Duration::from_millis(150);
/// Between two knocks at a door that was opened.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A host that says nothing for so long is away.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where to knock.
pub(super) enum Knock {
    Tcp(String, u16),
    Socket(String),
}

impl Knock {
    pub(super) fn new(host: &str, port: u16) -> Self {
        match host.starts_with('/') {
            true => Knock::Socket(format!("{host}/.s.PGSQL.{port}")),
            false => Knock::Tcp(host.to_owned(), port),
        }
    }

    /// Ends when nobody is there, with the system's words for it; while somebody is, it does not end.
    pub(super) async fn until_refused(&self) -> io::Error {
        tokio::time::sleep(FIRST_AFTER).await;
        loop {
            match tokio::time::timeout(PATIENCE, self.once()).await {
                Ok(Ok(())) => tokio::time::sleep(AGAIN_AFTER).await,
                Ok(Err(error)) => return error,
                Err(_) => return io::ErrorKind::TimedOut.into(),
            }
        }
    }

    async fn once(&self) -> io::Result<()> {
        match self {
            Knock::Tcp(host, port) => TcpStream::connect((host.as_str(), *port)).await.map(drop),
            Knock::Socket(path) => UnixStream::connect(path).await.map(drop),
        }
    }
}
