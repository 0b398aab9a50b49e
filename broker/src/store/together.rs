//! Writes of one kind that come at the same moment: one statement, one transaction, one commit.

use std::any::type_name;
use std::future::Future;
use std::sync::Arc;

use crate::gather::Gather;
use crate::warm::{self, Lent, Warm};

/// Asks with others if there are any. `all` answers a batch in order, on a connection that it gives back if all went well.
/// None: there was no answer for this one, or the batch has failed or taken too long; whoever asks does so again, alone, over a
/// connection that answers.
pub async fn together<Q, A, Running>(
    gather: &Arc<Gather<Q, A>>,
    store: &Warm,
    question: Q,
    all: fn(Lent, Vec<Q>) -> Running,
) -> Option<A>
where
    Q: Send + 'static,
    A: Send + 'static,
    Running: Future<Output = sqlx::Result<Vec<Option<A>>>> + Send + 'static,
{
    let store = store.clone();
    let run = move |questions: Vec<Q>| {
        let (count, store) = (questions.len(), store.clone());
        async move {
            let written = |lent| all(lent, questions);
            let answers = store.lend(warm::WRITTEN_WITHIN, written).await;
            answers.unwrap_or_else(|error| {
                tracing::debug!(%error, count, kind = type_name::<Q>(), "could not be written together");
                (0..count).map(|_| None).collect()
            })
        }
    };
    gather.ask(question, |_, _| true, run).await
}
