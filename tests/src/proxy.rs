//! A wire between a broker and PostgreSQL that a test can hold still: it counts what the client sends, one flush a
//! step, freezes at a step, and later lets everything go on, cuts it, or strands it.

use anyhow::{Result, ensure};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Where traffic stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freeze {
    /// When so many steps have been passed on; what they answer is not heard any more.
    After(usize),
    /// Before the first step that holds these bytes.
    Before(&'static [u8]),
    /// Behind it: it is passed on, and what it answers is not heard.
    Behind(&'static [u8]),
}

#[derive(Default)]
struct State {
    steps: usize,
    freeze: Option<Freeze>,
    frozen: bool,
    /// Grows with every cut: connections of an earlier one are dead.
    cuts: u64,
    /// Grows with every stranding: connections of an earlier one are silent.
    strandings: u64,
    open: Vec<TcpStream>,
    moved_at: Option<Instant>,
}

/// When a connection was made.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Era {
    cuts: u64,
    strandings: u64,
}

impl State {
    fn era(&self) -> Era {
        Era {
            cuts: self.cuts,
            strandings: self.strandings,
        }
    }
}

/// Any number of proxies that count and freeze together: the network of one broker.
#[derive(Clone, Default)]
pub struct Wire(Arc<(Mutex<State>, Condvar)>);

impl Wire {
    /// A wire with no proxy yet.
    pub fn new() -> Wire {
        Wire::default()
    }

    /// Listens on a free port of 127.0.0.1 for a server on another; gives back the port.
    pub fn to(&self, port: u16) -> Result<u16> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let own = listener.local_addr()?.port();
        let wire = self.clone();
        // Ends with the test process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Nobody there: the client sees its connection closed.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", port)) {
                    let _ = wire.join(client, server);
                }
            }
        });
        Ok(own)
    }

    /// Counts from here, and freezes there; what was held before goes on.
    pub fn freeze(&self, at: Freeze) {
        let mut state = self.lock();
        state.steps = 0;
        state.freeze = Some(at);
        state.frozen = at == Freeze::After(0);
        self.0.1.notify_all();
    }

    /// Counts from here, and freezes nowhere.
    pub fn count(&self) {
        let mut state = self.lock();
        state.steps = 0;
        state.freeze = None;
    }

    /// Steps since then.
    pub fn steps(&self) -> usize {
        self.lock().steps
    }

    /// Whether it has come to the point where it freezes.
    pub fn is_frozen(&self) -> bool {
        self.lock().frozen
    }

    /// Waits until nothing has been sent for so long.
    pub fn until_quiet(&self, time: Duration) -> Result<()> {
        let began = Instant::now();
        loop {
            let moved_at = self.lock().moved_at;
            if moved_at.is_none_or(|at| at.elapsed() > time) {
                return Ok(());
            }
            ensure!(
                began.elapsed() < Duration::from_secs(20),
                "the wire does not come to rest"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Lets everything go on that was held.
    pub fn thaw(&self) {
        let mut state = self.lock();
        state.freeze = None;
        state.frozen = false;
        self.0.1.notify_all();
    }

    /// Ends all connections at both ends; what was held reaches nobody. New ones are served.
    pub fn cut(&self) {
        let mut state = self.lock();
        state.cuts += 1;
        for stream in state.open.drain(..) {
            // One that is closed already is as good as cut.
            let _ = stream.shutdown(Shutdown::Both);
        }
        state.freeze = None;
        state.frozen = false;
        self.0.1.notify_all();
    }

    /// What is open now stays open, and nothing passes on it any more: as when the server's host is gone without a word and
    /// another one has taken its address. New connections are served.
    pub fn strand(&self) {
        let mut state = self.lock();
        state.strandings += 1;
        state.freeze = None;
        state.frozen = false;
        self.0.1.notify_all();
    }

    fn join(&self, client: TcpStream, server: TcpStream) -> Result<()> {
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let era = {
            let mut state = self.lock();
            state.open.push(client.try_clone()?);
            state.open.push(server.try_clone()?);
            state.era()
        };
        let (from, to, wire) = (client.try_clone()?, server.try_clone()?, self.clone());
        std::thread::spawn(move || wire.pump(from, to, true, era));
        let wire = self.clone();
        std::thread::spawn(move || wire.pump(server, client, false, era));
        Ok(())
    }

    fn pump(&self, mut from: TcpStream, mut to: TcpStream, is_client: bool, era: Era) {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let length = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            if !self.pass(&buffer[..length], is_client, era)
                || to.write_all(&buffer[..length]).is_err()
            {
                break;
            }
        }
        // The other half may have closed both already.
        let _ = to.shutdown(Shutdown::Write);
    }

    /// Waits until these bytes may go on; false: they never will.
    fn pass(&self, bytes: &[u8], is_client: bool, era: Era) -> bool {
        let mut state = self.lock();
        if is_client && !state.frozen && state.era() == era {
            state.moved_at = Some(Instant::now());
            state.steps += 1;
            match state.freeze {
                Some(Freeze::After(steps)) if state.steps >= steps => {
                    state.frozen = true;
                    return true;
                }
                Some(Freeze::Before(mark)) if holds(bytes, mark) => state.frozen = true,
                Some(Freeze::Behind(mark)) if holds(bytes, mark) => {
                    state.frozen = true;
                    return true;
                }
                _ => {}
            }
        }
        while (state.frozen || state.strandings != era.strandings) && state.cuts == era.cuts {
            state = self
                .0
                .1
                .wait(state)
                .unwrap_or_else(|broken| broken.into_inner());
        }
        state.cuts == era.cuts
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

fn holds(bytes: &[u8], mark: &[u8]) -> bool {
    bytes.windows(mark.len()).any(|window| window == mark)
}
