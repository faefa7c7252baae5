//! Asking the store for many requests at once.
//!
//! Requests that come while the store is asked wait, and are asked for together: the more there are,
//! the less each costs. Each is part of a batch that begins after it came.

use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// Questions in one batch.
const AT_ONCE: usize = 64;

/// Who answers whole batches.
pub(super) trait Answerer: Send + Sync + 'static {
    /// What one request asks.
    type Question: Send + 'static;
    /// What it is told.
    type Answer: Send + 'static;

    /// One answer for each question, in the same order.
    fn answer(
        &self,
        questions: Vec<Self::Question>,
    ) -> impl Future<Output = Vec<Self::Answer>> + Send;
}

/// Collects questions, and has one batch answered at a time.
pub(super) struct Batches<T: Answerer> {
    answerer: Arc<T>,
    queue: Arc<Mutex<QueueOf<T>>>,
    tasks: TaskTracker,
}

type QueueOf<T> = Queue<<T as Answerer>::Question, <T as Answerer>::Answer>;

struct Queue<Q, A> {
    waiting: Vec<(Q, oneshot::Sender<A>)>,
    is_asking: bool,
}

impl<T: Answerer> Batches<T> {
    pub(super) fn new(answerer: T) -> Self {
        let queue = Queue {
            waiting: Vec::new(),
            is_asking: false,
        };
        Self {
            answerer: Arc::new(answerer),
            queue: Arc::new(Mutex::new(queue)),
            tasks: TaskTracker::new(),
        }
    }

    /// The answer to one question; `None` if the work on its batch died.
    pub(super) async fn ask(&self, question: T::Question) -> Option<T::Answer> {
        let (sender, answer) = oneshot::channel();
        let starts = {
            let mut queue = self.queue.lock();
            queue.waiting.push((question, sender));
            !std::mem::replace(&mut queue.is_asking, true)
        };
        if starts {
            // A task of its own: the request that started it may be given up, others wait for it.
            let (answerer, queue) = (Arc::clone(&self.answerer), Arc::clone(&self.queue));
            self.tasks.spawn(ask_all(answerer, queue));
        }
        answer.await.ok()
    }
}

/// Asks until nobody waits.
async fn ask_all<T: Answerer>(answerer: Arc<T>, queue: Arc<Mutex<QueueOf<T>>>) {
    let mut asking = Asking(queue);
    loop {
        // Whatever else is ready runs first, and what of it has a question shares this batch.
        tokio::task::yield_now().await;
        let Some(waiting) = asking.next() else { break };
        let (questions, senders): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
        let answers = answerer.answer(questions).await;
        for (sender, answer) in senders.into_iter().zip(answers) {
            // Whoever asked may be gone.
            let _ = sender.send(answer);
        }
    }
}

/// The right to ask. Whatever ends it, the next request can start anew.
struct Asking<Q, A>(Arc<Mutex<Queue<Q, A>>>);

impl<Q, A> Asking<Q, A> {
    /// What is waited for now; `None` once nobody does, and then the right is given back in the same moment.
    fn next(&mut self) -> Option<Vec<(Q, oneshot::Sender<A>)>> {
        let mut queue = self.0.lock();
        queue.waiting.retain(|(_, sender)| !sender.is_closed());
        if queue.waiting.is_empty() {
            queue.is_asking = false;
            return None;
        }
        let taken = queue.waiting.len().min(AT_ONCE);
        Some(queue.waiting.drain(..taken).collect())
    }
}

impl<Q, A> Drop for Asking<Q, A> {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        // After a regular end somebody else may be asking already, and nobody of ours waits.
        if queue.is_asking && std::thread::panicking() {
            queue.is_asking = false;
            queue.waiting.clear();
        }
    }
}
