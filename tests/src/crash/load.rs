//! Clients at work while things die: they issue, renew, revoke, and end tokens, and write down what they are told.
//! Refusals are expected: something is dying.

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::client::Client;
use super::ledger::Share;
use crate::Actor;

/// Clients under way; they go on until they are told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts one client for each of `roots`. Each pauses for up to `pause` between two pieces of work; what it renews it
    /// renews for `increment`.
    pub fn start(
        roots: Vec<Actor>,
        ledger: &Share,
        seed: u64,
        pause: Duration,
        increment: Duration,
    ) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = roots
            .into_iter()
            .enumerate()
            .map(|(number, root)| {
                let worker = Worker {
                    client: Client::new(root, ledger),
                    number,
                    rng: StdRng::seed_from_u64(seed.wrapping_add(number as u64)),
                    pause,
                    increment,
                };
                let stop = stop.clone();
                std::thread::spawn(move || worker.work(&stop))
            })
            .collect();
        Load { stop, clients }
    }

    /// Lets every client end what it is at, and waits for them.
    pub fn stop(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().ok().context("a client panicked")?;
        }
        Ok(())
    }
}

struct Worker {
    client: Client,
    number: usize,
    rng: StdRng,
    pause: Duration,
    increment: Duration,
}

impl Worker {
    fn work(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            // What fails is not in the ledger, or stands there as unknown.
            let _ = self.one();
            let most = self.pause.as_micros().max(1) as u64;
            // A table's access list holds some two thousand grants, and no more.
            let granted = if self.number % 4 == 3 { 10_000 } else { 0 };
            let pause = self.rng.random_range(0..most) + granted;
            std::thread::sleep(Duration::from_micros(pause));
        }
    }

    /// One lease, and what its client makes of it.
    fn one(&mut self) -> Result<()> {
        let path = match self.number % 4 {
            3 => "database/creds/granted",
            _ if self.rng.random_ratio(1, 4) => "database/creds/brief",
            _ => "database/creds/member",
        };
        match self.rng.random_range(0..10) {
            0..3 => self.client.issue(path).map(drop),
            3..5 => {
                let lease = self.client.issue(path)?;
                self.client.renew(&lease, self.increment)
            }
            5..9 => {
                let lease = self.client.issue(path)?;
                self.client.revoke(&lease)
            }
            _ => self.client.issue_and_end_token(path, 1),
        }
    }
}
