//! Ports for servers of tests.

use anyhow::{Result, bail};
use std::net::TcpListener;

/// Ports that the system does not give to outgoing connections (ip(7), `ip_local_port_range`: from 32768 on, unless
/// somebody has changed it). Tests open and close thousands of these, and one of theirs could be the port of a server that
/// has not bound it yet, or is being started again.
const FIRST: u16 = 20_000;
const LAST: u16 = 32_000;
const TRIES: usize = 100;

/// A port on which nobody listens now.
pub fn free() -> Result<u16> {
    for _ in 0..TRIES {
        let port = rand::random_range(FIRST..=LAST);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port between {FIRST} and {LAST} is free")
}
