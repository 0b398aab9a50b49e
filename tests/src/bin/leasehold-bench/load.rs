//! Load: as many clients at once as asked for, each with one thing to do again and again.

use anyhow::Result;
use std::time::{Duration, Instant};
use tokio::task::{JoinSet, LocalSet};

use super::http::Client;

/// What one client does.
pub trait Work: 'static {
    /// One measured step.
    async fn step(&mut self, client: &mut Client) -> Result<()>;

    /// How long it rests between two steps.
    fn pause(&self) -> Duration {
        Duration::ZERO
    }
}

/// When a client stops.
#[derive(Clone, Copy)]
pub enum Until {
    /// After this time.
    Elapsed(Duration),
    /// After so many steps of its own.
    Steps(usize),
}

/// What came of it.
#[derive(Default)]
pub struct Tally {
    pub elapsed: Duration,
    pub failures: usize,
    pub first_failure: Option<String>,
    latencies: Vec<Duration>,
}

impl Tally {
    pub fn done(&self) -> usize {
        self.latencies.len()
    }

    /// Steps a second.
    pub fn rate(&self) -> f64 {
        self.done() as f64 / self.elapsed.as_secs_f64()
    }

    /// A percentile, in milliseconds.
    pub fn percentile(&self, share: f64) -> f64 {
        percentile(&self.latencies, share)
    }
}

/// The one in the middle, by some figure of each.
pub fn middle<T>(all: &mut [T], by: impl Fn(&T) -> f64) -> &T {
    all.sort_unstable_by(|one, other| by(one).total_cmp(&by(other)));
    &all[all.len() / 2]
}

/// A percentile of sorted times, in milliseconds.
pub fn percentile(sorted: &[Duration], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let at = (last as f64 * share).round() as usize;
    sorted.get(at).map_or(f64::NAN, |d| d.as_secs_f64() * 1e3)
}

/// Runs all of them on this one thread.
pub async fn drive<W: Work>(address: &str, workers: Vec<W>, until: Until) -> Result<Tally> {
    let mut ready = Vec::with_capacity(workers.len());
    for worker in workers {
        ready.push((Client::connect(address).await?, worker));
    }
    let local = LocalSet::new();
    let begin = Instant::now();
    let tally = local
        .run_until(async move {
            let mut all = JoinSet::new();
            for (mut client, mut worker) in ready {
                all.spawn_local(async move {
                    let mut own = Tally::default();
                    let mut steps = 0;
                    while match until {
                        Until::Elapsed(time) => begin.elapsed() < time,
                        Until::Steps(count) => steps < count,
                    } {
                        steps += 1;
                        let began = Instant::now();
                        match worker.step(&mut client).await {
                            Ok(()) => own.latencies.push(began.elapsed()),
                            Err(error) => {
                                own.failures += 1;
                                own.first_failure.get_or_insert(format!("{error:#}"));
                            }
                        }
                        if !worker.pause().is_zero() {
                            tokio::time::sleep(worker.pause()).await;
                        }
                    }
                    own
                });
            }
            let mut sum = Tally::default();
            while let Some(own) = all.join_next().await {
                let own = own?;
                sum.latencies.extend(own.latencies);
                sum.failures += own.failures;
                sum.first_failure = sum.first_failure.or(own.first_failure);
            }
            anyhow::Ok(sum)
        })
        .await?;
    let mut tally = tally;
    tally.elapsed = begin.elapsed();
    tally.latencies.sort_unstable();
    Ok(tally)
}

/// The same request again and again.
pub struct Same(pub Vec<u8>);

impl Work for Same {
    async fn step(&mut self, client: &mut Client) -> Result<()> {
        client.send(&self.0).await.map(drop)
    }
}

/// Requests in turn.
pub struct Turns {
    pub requests: Vec<Vec<u8>>,
    pub next: usize,
}

impl Work for Turns {
    async fn step(&mut self, client: &mut Client) -> Result<()> {
        let at = self.next % self.requests.len();
        self.next += 1;
        client.send(&self.requests[at]).await.map(drop)
    }
}
