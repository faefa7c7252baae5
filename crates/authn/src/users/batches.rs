//! Asking the store for many requests at once.
//!
//! Requests that come while the store is asked wait, and are asked for together: the more there are,
//! the less each costs. Each is part of a batch that begins after it came, soon or not at all.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use charter_domain::clock::Clock;
use charter_store as store;

/// Questions in one batch.
const AT_ONCE: usize = store::MOST_AT_ONCE;
/// Who may wait.
const MAX_WAITERS: usize = 4096;

/// Why a question has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unanswered {
    #[error("too many others wait for the database")]
    QueueFull,
    #[error("it was not the request's turn in time")]
    Late,
    #[error("the work on the request's batch died")]
    Died,
}

impl From<Unanswered> for store::Error {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::QueueFull | Unanswered::Late => Self::Unavailable(unanswered.into()),
            Unanswered::Died => Self::Unexpected(unanswered.into()),
        }
    }
}

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
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
}

type QueueOf<T> = Queue<<T as Answerer>::Question, <T as Answerer>::Answer>;

struct Queue<Q, A> {
    waiting: Vec<Waiting<Q, A>>,
    is_asking: bool,
    /// How long one may wait for its batch to begin.
    patience: Duration,
}

struct Waiting<Q, A> {
    question: Q,
    answer: oneshot::Sender<Result<A, Unanswered>>,
    /// On the clock that never steps back.
    since: Duration,
}

impl<T: Answerer> Batches<T> {
    /// `patience` is how long a request may wait for its batch to begin.
    pub(super) fn new(answerer: T, patience: Duration, clock: Arc<dyn Clock>) -> Self {
        let queue = Queue {
            waiting: Vec::new(),
            is_asking: false,
            patience,
        };
        Self {
            answerer: Arc::new(answerer),
            queue: Arc::new(Mutex::new(queue)),
            clock,
            tasks: TaskTracker::new(),
        }
    }

    /// The answer to one question. Who is told [`Unanswered::Late`] was never asked for.
    pub(super) async fn ask(&self, question: T::Question) -> Result<T::Answer, Unanswered> {
        let (sender, answer) = oneshot::channel();
        let waiting = Waiting {
            question,
            answer: sender,
            since: self.clock.monotonic(),
        };
        let starts = {
            let mut queue = self.queue.lock();
            if queue.waiting.len() >= MAX_WAITERS {
                return Err(Unanswered::QueueFull);
            }
            queue.waiting.push(waiting);
            !std::mem::replace(&mut queue.is_asking, true)
        };
        if starts {
            // A task of its own: the request that started it may be given up, others wait for it.
            let (answerer, queue) = (Arc::clone(&self.answerer), Arc::clone(&self.queue));
            self.tasks
                .spawn(ask_all(answerer, queue, Arc::clone(&self.clock)));
        }
        answer.await.unwrap_or(Err(Unanswered::Died))
    }
}

/// Asks until nobody waits.
async fn ask_all<T: Answerer>(
    answerer: Arc<T>,
    queue: Arc<Mutex<QueueOf<T>>>,
    clock: Arc<dyn Clock>,
) {
    let mut asking = Asking(queue);
    loop {
        asking.gather().await;
        let Some(batch) = asking.next(clock.monotonic()) else {
            break;
        };
        let (questions, senders): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|it| (it.question, it.answer)).unzip();
        let answers = answerer.answer(questions).await;
        for (sender, answer) in senders.into_iter().zip(answers) {
            // Whoever asked may be gone.
            let _ = sender.send(Ok(answer));
        }
    }
}

/// The right to ask. Whatever ends it, the next request can start anew.
struct Asking<Q, A>(Arc<Mutex<Queue<Q, A>>>);

impl<Q, A> Asking<Q, A> {
    /// Whatever else is ready runs first, and what of it has a question shares this batch: until a
    /// round brings nobody more.
    async fn gather(&self) {
        let mut before = 0;
        loop {
            tokio::task::yield_now().await;
            let now = self.0.lock().waiting.len();
            if now == before || now >= AT_ONCE {
                return;
            }
            before = now;
        }
    }

    /// What is waited for now; `None` once nobody does, and then the right is given back in the same
    /// moment. Who waited too long is told so.
    fn next(&mut self, now: Duration) -> Option<Vec<Waiting<Q, A>>> {
        let mut queue = self.0.lock();
        let patience = queue.patience;
        let is_late = |it: &mut Waiting<Q, A>| now.saturating_sub(it.since) > patience;
        for late in queue.waiting.extract_if(.., is_late) {
            // Whoever asked may be gone.
            let _ = late.answer.send(Err(Unanswered::Late));
        }
        queue.waiting.retain(|it| !it.answer.is_closed());
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::Semaphore;

    use super::*;
    use charter_domain::timestamp::Timestamp;

    const DEADLY: u32 = 1_000;

    /// Time passes when it is told so.
    struct Hand(Mutex<Duration>);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        fn monotonic(&self) -> Duration {
            *self.0.lock()
        }
    }

    /// Says what it was asked and how many were asked with it, when it is let.
    struct Echo(Arc<Semaphore>);

    impl Answerer for Echo {
        type Question = u32;
        type Answer = (u32, usize);

        async fn answer(&self, questions: Vec<u32>) -> Vec<(u32, usize)> {
            self.0.acquire().await.expect("open").forget();
            assert!(!questions.contains(&DEADLY), "a panic");
            let together = questions.len();
            questions.into_iter().map(|it| (it, together)).collect()
        }
    }

    fn echo(permits: usize) -> (Batches<Echo>, Arc<Semaphore>, Arc<Hand>) {
        let let_it = Arc::new(Semaphore::new(permits));
        let clock = Arc::new(Hand(Mutex::new(Duration::ZERO)));
        let answerer = Echo(Arc::clone(&let_it));
        let batches = Batches::new(answerer, Duration::from_secs(2), Arc::clone(&clock) as _);
        (batches, let_it, clock)
    }

    #[tokio::test]
    async fn who_comes_meanwhile_is_asked_for_together() {
        let (batches, let_it, _) = echo(0);
        let mut first = Box::pin(batches.ask(1));
        assert_eq!(first.as_mut().now_or_never(), None);
        while !batches.queue.lock().waiting.is_empty() {
            tokio::task::yield_now().await;
        }
        let others = futures_util::future::join_all((2..102).map(|n| batches.ask(n)));
        let mut others = Box::pin(others);
        assert_eq!(others.as_mut().now_or_never(), None);
        let_it.add_permits(3);
        assert_eq!(first.await, Ok((1, 1)));
        let told = others.await;
        assert_eq!(told[0], Ok((2, 64)));
        assert_eq!(told[99], Ok((101, 36)));
    }

    #[tokio::test]
    async fn who_waits_too_long_is_not_asked_for() {
        let (batches, let_it, clock) = echo(0);
        let mut first = Box::pin(batches.ask(1));
        assert_eq!(first.as_mut().now_or_never(), None);
        while !batches.queue.lock().waiting.is_empty() {
            tokio::task::yield_now().await;
        }
        let mut late = Box::pin(batches.ask(2));
        assert_eq!(late.as_mut().now_or_never(), None);
        *clock.0.lock() += Duration::from_secs(3);
        let mut next = Box::pin(batches.ask(3));
        assert_eq!(next.as_mut().now_or_never(), None);
        let_it.add_permits(9);
        // Its batch had begun.
        assert_eq!(first.await, Ok((1, 1)));
        assert_eq!(late.await, Err(Unanswered::Late));
        assert_eq!(next.await, Ok((3, 1)));
        assert_eq!(batches.ask(4).await, Ok((4, 1)));
    }

    #[tokio::test]
    async fn a_panic_is_told_and_the_next_one_is_answered() {
        let (batches, _, _) = echo(9);
        assert_eq!(batches.ask(DEADLY).await, Err(Unanswered::Died));
        assert_eq!(batches.ask(14).await, Ok((14, 1)));
    }

    #[tokio::test]
    async fn the_line_is_bounded() {
        let (batches, let_it, _) = echo(0);
        let mut waiting: Vec<_> = (0..MAX_WAITERS).map(|_| Box::pin(batches.ask(1))).collect();
        for one in &mut waiting {
            assert_eq!(one.as_mut().now_or_never(), None);
        }
        assert_eq!(batches.ask(1).await, Err(Unanswered::QueueFull));
        let_it.add_permits(MAX_WAITERS);
        assert_eq!(waiting.swap_remove(0).await, Ok((1, 64)));
    }
}
