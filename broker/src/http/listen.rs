//! The listener: connections in, and an orderly end. Stop accepting, let requests finish, give up after the grace.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::service;
use crate::core::Core;

/// Request line and headers together; beyond it 431.
const HEAD_BYTES_MAX: usize = 1024 * 1024;
/// How long a client may take for its headers. The time runs while a connection is idle, too, so it is longer than the 60 s for
/// which common proxies keep an idle one: closed here first, it would now and then take a request with it, a 502 to whoever asked.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Connections at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 8_192;
/// Pause after an accept failed (no file descriptors left, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound address that nobody serves yet.
pub struct Listener(TcpListener);

impl Listener {
    /// Binds. Port 0 takes any free one.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        TcpListener::bind(address).await.map(Listener)
    }

    /// Serves it.
    pub fn serve(self, core: Arc<Core>) -> io::Result<Listening> {
        let address = self.0.local_addr()?;
        let stop = watch::Sender::new(None);
        let accepting = tokio::spawn(accept(self.0, core, stop.subscribe()));
        Ok(Listening {
            address,
            stop,
            accepting,
        })
    }
}

/// An address being served.
pub struct Listening {
    address: SocketAddr,
    stop: watch::Sender<Option<Duration>>,
    accepting: JoinHandle<()>,
}

impl Listening {
    /// Where.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more, and waits for what is being served, no longer than the grace; then connections are cut.
    pub async fn shut_down(self, grace: Duration) {
        self.stop.send_replace(Some(grace));
        if self.accepting.await.is_err() {
            tracing::error!("the listener's task had ended before");
        }
    }
}

async fn accept(
    listener: TcpListener,
    core: Arc<Core>,
    mut stop: watch::Receiver<Option<Duration>>,
) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let grace = loop {
        let stopped = async {
            match stop.wait_for(Option::is_some).await {
                Ok(grace) => grace.unwrap_or_default(),
                Err(_) => Duration::ZERO,
            }
        };
        let accepted = tokio::select! {
            grace = stopped => break grace,
            accepted = accept_one(&listener, &places) => accepted,
            // One has ended: what is left of it goes.
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, remote, place)) => {
                connections.spawn(serve(&graceful, &core, stream, remote, place));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    };
    drop(listener);
    if tokio::time::timeout(grace, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests were still running at the end of the grace");
    }
    // Their clients hear nothing more, and a client that holds one open holds nobody up.
    connections.shutdown().await;
}

/// The next connection, once there is a place for it.
async fn accept_one(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = places
        .clone()
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, remote) = listener.accept().await?;
    Ok((stream, remote, place))
}

/// One connection, until it ends.
fn serve(
    graceful: &GracefulShutdown,
    core: &Arc<Core>,
    stream: TcpStream,
    remote: SocketAddr,
    place: OwnedSemaphorePermit,
) -> impl Future<Output = ()> + Send + 'static {
    // Answers are one small write each: waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let core = core.clone();
    let service = service_fn(move |request| {
        let core = core.clone();
        async move { Ok::<_, Infallible>(service::answer(core, remote, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let connection = graceful.watch(connection);
    async move {
        let _place = place;
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended with an error");
        }
    }
}
