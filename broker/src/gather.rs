//! Requests that want the same thing at the same moment, asked in one go.
//!
//! The first of them starts at once; whoever comes while that is under way waits, and all who wait, or half of them, go together
//! next. So one alone loses nothing, and many share a round trip, a transaction and its commit. A batch begins after each of its members
//! has asked: what it reads was read in their requests.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::oneshot;

/// A place where questions of one kind come together.
pub struct Gather<Q, A> {
    state: Mutex<State<Q, A>>,
    /// So many go at once, without looking for more.
    enough: usize,
    /// Questions in one batch at most.
    at_most: usize,
}

/// How many go together where nothing speaks for fewer.
pub const AT_MOST: usize = 128;
/// How many are worth a batch of their own where the other half of those who wait goes next.
const WORTH: usize = 12;
/// How often a runner goes behind those who are about to ask although nobody came, where they usually are twice as many.
const PATIENCE: u32 = 4;

struct State<Q, A> {
    waiting: VecDeque<(Q, oneshot::Sender<A>)>,
    /// There is a runner: one batch at a time. The longer one takes, the more go together next, and the less each costs.
    running: bool,
    /// Questions in the two batches that began last.
    last: [usize; 2],
}

impl<Q, A> State<Q, A> {
    /// How many wait, and how many it usually are: a few that went before the others do not make them few.
    fn coming(&self) -> (usize, usize) {
        (self.waiting.len(), self.last[0].max(self.last[1]))
    }
}

impl<Q: Send + 'static, A: Send + 'static> Gather<Q, A> {
    /// An empty one, for batches of so many questions at most, and of all who wait.
    pub fn new(at_most: usize) -> Arc<Self> {
        Self::of(at_most, at_most)
    }

    /// An empty one, for batches of so many questions at most, and of half of those who wait, if that is a dozen at least: for
    /// what is asked in two places one after the other, so that one place is busy with one half while the other is with the other.
    pub fn of_halves(at_most: usize) -> Arc<Self> {
        Self::of(at_most, WORTH)
    }

    fn of(at_most: usize, enough: usize) -> Arc<Self> {
        Arc::new(Gather {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                running: false,
                last: [0; 2],
            }),
            enough: enough.min(at_most),
            at_most,
        })
    }

    /// Asks. `run` gives an answer to each question of a batch, in order; `alike` says which may go with the first.
    /// None: there was no answer for this one, and it should be asked alone.
    pub async fn ask<Run, Running>(
        self: &Arc<Self>,
        question: Q,
        alike: fn(&Q, &Q) -> bool,
        run: Run,
    ) -> Option<A>
    where
        Run: Fn(Vec<Q>) -> Running + Send + 'static,
        Running: Future<Output = Vec<Option<A>>> + Send,
    {
        let (sender, receiver) = oneshot::channel();
        let start = {
            let mut state = self.lock();
            state.waiting.push_back((question, sender));
            !std::mem::replace(&mut state.running, true)
        };
        if start {
            let mut own = Runner(Some(self.clone()));
            tokio::spawn(async move {
                loop {
                    own.let_others_come().await;
                    let Some((questions, senders)) = own.next(alike) else {
                        break;
                    };
                    let answers = run(questions).await;
                    for (sender, answer) in senders.into_iter().zip(answers) {
                        if let Some(answer) = answer {
                            // Whoever asked may be gone.
                            let _ = sender.send(answer);
                        }
                    }
                }
            });
        }
        receiver.await.ok()
    }

    fn lock(&self) -> MutexGuard<'_, State<Q, A>> {
        self.state
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }
}

/// Counts itself out however it ends.
struct Runner<Q, A>(Option<Arc<Gather<Q, A>>>)
where
    Q: Send + 'static,
    A: Send + 'static;

type Batch<Q, A> = (Vec<Q>, Vec<oneshot::Sender<A>>);

impl<Q: Send + 'static, A: Send + 'static> Runner<Q, A> {
    /// Goes behind those who are about to ask: what has woken the first of them has often woken others too.
    async fn let_others_come(&self) {
        let Some(gather) = &self.0 else {
            return;
        };
        let (mut seen, usual) = gather.lock().coming();
        // Who has been alone is taken to be alone again: going behind others makes one more thread look for work.
        if seen <= 1 && usual <= 1 {
            return;
        }
        let mut in_vain = 0;
        while seen > 0 && seen < gather.enough {
            tokio::task::yield_now().await;
            let (waiting, usual) = gather.lock().coming();
            in_vain = if waiting > seen { 0 } else { in_vain + 1 };
            let few = waiting * 2 < usual;
            if in_vain > if few { PATIENCE } else { 0 } {
                return;
            }
            seen = waiting;
        }
    }

    /// Those who wait and are like the first. None: nobody waits, and whoever comes next starts anew.
    fn next(&mut self, alike: fn(&Q, &Q) -> bool) -> Option<Batch<Q, A>> {
        let gather = self.0.clone()?;
        let mut state = gather.lock();
        let most = state.waiting.len().div_ceil(2);
        let most = most.max(gather.enough).min(gather.at_most);
        let Some((first, sender)) = state.waiting.pop_front() else {
            state.running = false;
            self.0 = None;
            return None;
        };
        let (mut questions, mut senders) = (vec![first], vec![sender]);
        let waiting = std::mem::take(&mut state.waiting);
        for (question, sender) in waiting {
            if questions.len() < most && alike(&questions[0], &question) {
                questions.push(question);
                senders.push(sender);
            } else {
                state.waiting.push_back((question, sender));
            }
        }
        state.last = [questions.len(), state.last[0]];
        Some((questions, senders))
    }
}

impl<Q: Send + 'static, A: Send + 'static> Drop for Runner<Q, A> {
    fn drop(&mut self) {
        let Some(gather) = &self.0 else {
            return;
        };
        // A batch has panicked, or the process goes down: those who came meanwhile ask alone.
        let mut state = gather.lock();
        state.running = false;
        state.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    const EIGHT: usize = 8;

    #[tokio::test]
    async fn those_who_wait_go_together_and_get_their_own_answers() {
        let gather: Arc<Gather<u32, u32>> = Gather::new(EIGHT);
        let batches = Arc::new(AtomicUsize::new(0));
        let mut all = tokio::task::JoinSet::new();
        for n in 0..33 {
            let (gather, batches) = (gather.clone(), batches.clone());
            all.spawn(async move {
                let run = move |questions: Vec<u32>| {
                    batches.fetch_add(1, Ordering::Relaxed);
                    async move {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        questions.into_iter().map(|n| Some(n * 2)).collect()
                    }
                };
                assert_eq!(gather.ask(n, |_, _| true, run).await, Some(n * 2));
            });
        }
        while let Some(done) = all.join_next().await {
            done.unwrap();
        }
        assert!(batches.load(Ordering::Relaxed) <= 6);
    }

    #[tokio::test]
    async fn those_who_were_about_to_ask_go_with_the_first() {
        let gather: Arc<Gather<usize, usize>> = Gather::new(EIGHT);
        let ask = |n| {
            let gather = gather.clone();
            async move {
                let run = |questions: Vec<usize>| async move {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    questions.iter().map(|_| Some(questions.len())).collect()
                };
                // Ready at the same moment as the others, and further from asking by `n` turns.
                for _ in 0..n {
                    tokio::task::yield_now().await;
                }
                gather.ask(n, |_, _| true, run).await
            }
        };
        // Nobody has seen yet that they come together.
        tokio::join!(ask(0), ask(1), ask(2), ask(3));
        let sizes = tokio::join!(ask(0), ask(1), ask(2), ask(3));
        assert_eq!(sizes, (Some(4), Some(4), Some(4), Some(4)));
    }

    #[tokio::test]
    async fn of_many_who_wait_half_go_first() {
        let gather: Arc<Gather<usize, usize>> = Gather::of_halves(AT_MOST);
        let mut all = tokio::task::JoinSet::new();
        for n in 0..41 {
            let gather = gather.clone();
            all.spawn(async move {
                let run = |questions: Vec<usize>| async move {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    questions.iter().map(|_| Some(questions.len())).collect()
                };
                // The first one alone: all others wait for it.
                if n > 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                gather.ask(n, |_, _| true, run).await.unwrap()
            });
        }
        let mut sizes = Vec::new();
        while let Some(size) = all.join_next().await {
            sizes.push(size.unwrap());
        }
        sizes.sort_unstable();
        sizes.dedup();
        assert_eq!(sizes, [1, 8, WORTH, 20]);
    }

    #[tokio::test]
    async fn unlike_ones_go_apart_and_a_missing_answer_is_none() {
        let gather: Arc<Gather<u32, usize>> = Gather::new(EIGHT);
        let ask = |n: u32| {
            let gather = gather.clone();
            async move {
                let run = |questions: Vec<u32>| async move {
                    tokio::task::yield_now().await;
                    let parity = questions[0] % 2;
                    assert!(questions.iter().all(|n| n % 2 == parity));
                    questions.iter().map(|n| (*n != 3).then_some(1)).collect()
                };
                gather.ask(n, |a, b| a % 2 == b % 2, run).await
            }
        };
        let (a, b, c, d) = tokio::join!(ask(1), ask(2), ask(3), ask(4));
        assert_eq!((a, b, c, d), (Some(1), Some(1), None, Some(1)));
    }

    #[tokio::test]
    async fn a_batch_that_panics_leaves_nobody_waiting() {
        let gather: Arc<Gather<u32, u32>> = Gather::new(EIGHT);
        let run = |_: Vec<u32>| async { panic!("as a test") };
        assert_eq!(gather.ask(1, |_, _| true, run).await, None);
        let run = |questions: Vec<u32>| async { questions.into_iter().map(Some).collect() };
        assert_eq!(gather.ask(2, |_, _| true, run).await, Some(2));
    }
}
