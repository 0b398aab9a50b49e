//! A gate between a client and a server: it lets everything through but one message of the client's, which it holds
//! back until the test says so. So a test can stop the clock in the middle of a handshake.

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A gate for one connection.
pub struct Gate {
    port: u16,
    open: watch::Sender<bool>,
    held: watch::Receiver<bool>,
}

impl Gate {
    /// Listens for one client, for whom it goes on to `port`, and holds back the client's message `number`, counted
    /// from 1. The client must wait for an answer after each message, as it does in a handshake.
    pub async fn before(port: u16, number: usize) -> Result<Gate> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let own = listener.local_addr()?.port();
        let (open, opened) = watch::channel(false);
        let (holds, held) = watch::channel(false);
        tokio::spawn(async move {
            let (client, _) = listener.accept().await?;
            let server = TcpStream::connect(("127.0.0.1", port)).await?;
            relay(client, server, number, opened, holds).await
        });
        Ok(Gate {
            port: own,
            open,
            held,
        })
    }

    /// Where the client is to connect.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns when the message is being held.
    pub async fn holds(&mut self) -> Result<()> {
        let held = self.held.wait_for(|held| *held).await;
        held.context("the client went away before").map(drop)
    }

    /// Lets the message through, and all that come after it.
    pub fn open(&self) {
        let _ = self.open.send(true);
    }
}

async fn relay(
    client: TcpStream,
    server: TcpStream,
    number: usize,
    mut opened: watch::Receiver<bool>,
    holds: watch::Sender<bool>,
) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = [0; 8192];
    let mut count = 0;
    loop {
        let length = from_client.read(&mut buffer).await?;
        if length == 0 {
            break;
        }
        count += 1;
        if count == number {
            let _ = holds.send(true);
            let _ = opened.wait_for(|open| *open).await;
        }
        to_server.write_all(&buffer[..length]).await?;
    }
    drop(to_server);
    back.await.unwrap_or(Ok(0)).map(drop)
}
