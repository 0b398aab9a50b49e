//! Ports for servers of tests.

use anyhow::{Result, bail};
use std::collections::BTreeSet;
use std::net::TcpStream;
use std::sync::Mutex;

/// Ports that the system does not give to outgoing connections (ip(7), `ip_local_port_range`: from 32768 on, unless
/// somebody has changed it). Tests open and close thousands of these, and one of theirs could be the port of a server that
/// has not bound it yet, or is being started again.
const FIRST: u16 = 20_000;
const LAST: u16 = 32_000;
const TRIES: usize = 100;

/// Given out by this process. A server takes a moment to bind its own, and another one's clients would take it for theirs.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port on which nobody listens now, and that nobody else in this process has been given. Asked by connecting: a listener of
/// our own would live on in the child that another test is just forking, and its server could not bind the port.
pub fn free() -> Result<u16> {
    let mut given = GIVEN.lock().unwrap_or_else(|broken| broken.into_inner());
    for _ in 0..TRIES {
        let port = rand::random_range(FIRST..=LAST);
        if !given.contains(&port) && TcpStream::connect(("127.0.0.1", port)).is_err() {
            given.insert(port);
            return Ok(port);
        }
    }
    bail!("no port between {FIRST} and {LAST} is free")
}
