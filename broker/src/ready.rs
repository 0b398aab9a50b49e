//! Passwords with their verifiers, derived ahead.
//!
//! A verifier costs more than everything else in an issue, and nothing in it depends on who asks: they are made while the
//! processors have nothing else to do, and under load for as many as wait at once. In memory only, wiped when dropped, each
//! handed out once, by the default password policy; gone when the process is sealed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::idle;
use crate::password;
use crate::scram::{self, Rest};
use crate::secret::{Password, Verifier};

/// Ready at most, for each iteration count.
const READY_MAX: usize = 1_024;
/// With fewer than these they are made although others ask.
const READY_LOW: usize = 64;
/// Nobody asked for so long: idle.
const IDLE_AFTER: Duration = Duration::from_millis(50);
/// Iteration counts at most: servers that are targets have few of them.
const SHELVES_MAX: usize = 8;

/// A password nobody has yet.
pub struct Credential {
    /// For whoever asks.
    pub password: Password,
    /// For the server.
    pub verifier: Verifier,
}

/// What is ready, and who waits.
#[derive(Clone, Default)]
pub struct Ready(Arc<Mutex<Vec<Shelf>>>);

/// Of one iteration count.
struct Shelf {
    iterations: u32,
    ready: VecDeque<Credential>,
    waiting: VecDeque<oneshot::Sender<Credential>>,
    /// There is a thread that makes them in idle time.
    stocking: bool,
    /// How many make them for those who wait.
    helpers: usize,
    taken_at: Instant,
}

impl Ready {
    /// One with a verifier of so many iterations: at once if there is one.
    pub async fn take(&self, iterations: u32) -> Credential {
        let (sender, receiver) = oneshot::channel();
        {
            let mut shelves = self.lock();
            let shelf = shelf(&mut shelves, iterations);
            shelf.taken_at = Instant::now();
            let ready = shelf.ready.pop_front();
            if ready.is_none() {
                shelf.waiting.push_back(sender);
            }
            if shelf.ready.len() < READY_MAX && !shelf.stocking {
                let own = self.clone();
                shelf.stocking = idle::spawn(move || own.stock(iterations)).is_ok();
            }
            if shelf.wants_help() {
                shelf.helpers += 1;
                let own = self.clone();
                tokio::task::spawn_blocking(move || own.help(iterations));
            }
            if let Some(ready) = ready {
                return ready;
            }
        }
        match receiver.await {
            Ok(credential) => credential,
            // Cleared, or pushed out by other iteration counts, while we waited.
            Err(_) => derive(iterations, 1, scram::at_once).remove(0),
        }
    }

    /// Forgets all of them; who makes more stops.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Makes until enough are ready: while nobody asks, as even a thread that gives way has a cache to itself first.
    fn stock(&self, iterations: u32) {
        let next = |shelf: &mut Shelf| {
            shelf.stocking = shelf.ready.len() < READY_MAX;
            shelf.stocking.then(|| shelf.until_idle())
        };
        loop {
            let pause = find(&mut self.lock(), iterations).and_then(next);
            match pause {
                None => return,
                Some(Duration::ZERO) => self.add(iterations, idle::rest),
                Some(pause) => std::thread::sleep(pause),
            }
        }
    }

    /// Makes until nobody waits.
    fn help(&self, iterations: u32) {
        let wanted = |shelf: &mut Shelf| {
            let wanted = !shelf.waiting.is_empty();
            // One from before all was cleared may come to a shelf that does not know it.
            shelf.helpers = shelf.helpers.saturating_sub(usize::from(!wanted));
            wanted
        };
        while find(&mut self.lock(), iterations).is_some_and(wanted) {
            self.add(iterations, scram::at_once);
        }
    }

    /// Makes as many as are best made together.
    fn add(&self, iterations: u32, rest: Rest) {
        let made = derive(iterations, scram::batch(), rest);
        let mut shelves = self.lock();
        if let Some(shelf) = find(&mut shelves, iterations) {
            for credential in made {
                shelf.add(credential);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Shelf>> {
        self.0.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

impl Shelf {
    /// How long it is to be left alone: not at all if little is left.
    fn until_idle(&self) -> Duration {
        match self.ready.len() < READY_LOW {
            true => Duration::ZERO,
            false => IDLE_AFTER.saturating_sub(self.taken_at.elapsed()),
        }
    }

    /// More help while others wait, if the processors have it.
    fn wants_help(&self) -> bool {
        self.waiting.len() > self.helpers * scram::batch()
            && self.helpers < std::thread::available_parallelism().map_or(1, usize::from)
    }

    /// For the first who waits and is still there, or for later.
    fn add(&mut self, credential: Credential) {
        let mut left = Some(credential);
        while let Some(sender) = self.waiting.pop_front()
            && let Some(credential) = left.take()
        {
            left = sender.send(credential).err();
            if left.is_none() {
                break;
            }
        }
        self.ready.extend(left);
    }
}

fn find(shelves: &mut [Shelf], iterations: u32) -> Option<&mut Shelf> {
    shelves
        .iter_mut()
        .find(|shelf| shelf.iterations == iterations)
}

/// The shelf of an iteration count; the one unused for longest makes room.
fn shelf(shelves: &mut Vec<Shelf>, iterations: u32) -> &mut Shelf {
    let at = match shelves
        .iter()
        .position(|shelf| shelf.iterations == iterations)
    {
        Some(at) => at,
        None => {
            if shelves.len() >= SHELVES_MAX
                && let Some((oldest, _)) = shelves
                    .iter()
                    .enumerate()
                    .min_by_key(|(_, shelf)| shelf.taken_at)
            {
                shelves.remove(oldest);
            }
            shelves.push(Shelf {
                iterations,
                ready: VecDeque::new(),
                waiting: VecDeque::new(),
                stocking: false,
                helpers: 0,
                taken_at: Instant::now(),
            });
            shelves.len() - 1
        }
    };
    &mut shelves[at]
}

fn derive(iterations: u32, count: usize, rest: Rest) -> Vec<Credential> {
    let mut rng = rand::rng();
    let passwords: Vec<Password> = (0..count).map(|_| password::generate(&mut rng)).collect();
    let salts: Vec<[u8; scram::SALT_BYTES]> = (0..count).map(|_| rand::random()).collect();
    let verifiers = scram::verifiers(&passwords, &salts, iterations, rest);
    passwords
        .into_iter()
        .zip(verifiers)
        .map(|(password, verifier)| Credential { password, verifier })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_is_handed_out_once_and_fits_its_password() {
        let ready = Ready::default();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..100 {
            let one = ready.take(4_096).await;
            let parts: Vec<&str> = one.verifier.expose().split(['$', ':']).collect();
            let salt = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, parts[2]);
            let salt = salt.unwrap().try_into().unwrap();
            let again = scram::verifier(&one.password, salt, 4_096);
            assert_eq!(one.verifier.expose(), again.expose());
            assert!(seen.insert(one.password.expose().to_owned()));
        }
    }

    #[tokio::test]
    async fn a_cleared_store_makes_new_ones() {
        let ready = Ready::default();
        drop(ready.take(4_096).await);
        ready.clear();
        drop(ready.take(4_096).await);
    }
}
