//! Reads or writes the store for many requests at once.
//!
//! Requests that arrive while a batch runs wait for the next one. Each is in a batch that begins after its arrival and
//! before its deadline, or in none.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use charter_domain::clock::Clock;
use charter_store as store;

/// Questions in one batch.
const MAX_BATCH: usize = store::MOST_AT_ONCE;
const MAX_WAITERS: usize = 4096;

/// Why a question was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BatchError {
    #[error("too many others wait for the database")]
    QueueFull,
    #[error("it was not the request's turn in time")]
    TimedOut,
    #[error("the work on the request's batch died")]
    Died,
}

impl From<BatchError> for store::Error {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::QueueFull | BatchError::TimedOut => Self::Unavailable(error.into()),
            BatchError::Died => Self::Unexpected(error.into()),
        }
    }
}

/// Answers whole batches.
pub(super) trait BatchHandler: Send + Sync + 'static {
    type Question: Send + 'static;
    type Answer: Send + 'static;

    /// One answer for each question, in the same order.
    fn answer(
        &self,
        questions: Vec<Self::Question>,
    ) -> impl Future<Output = Vec<Self::Answer>> + Send;
}

/// Collects questions; one batch is answered at a time.
pub(super) struct Batches<T: BatchHandler> {
    queue: Sender<Waiting<T>>,
    clock: Arc<dyn Clock>,
}

struct Waiting<T: BatchHandler> {
    question: T::Question,
    answer: oneshot::Sender<Result<T::Answer, BatchError>>,
    /// On the monotonic clock.
    since: Duration,
}

struct Worker<T: BatchHandler> {
    handler: Arc<T>,
    queue: Receiver<Waiting<T>>,
    wait_timeout: Duration,
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
}

impl<T: BatchHandler> Batches<T> {
    /// Starts a task that ends when this is dropped. `wait_timeout` limits how long a request waits for its batch to
    /// begin.
    pub(super) fn new(handler: T, wait_timeout: Duration, clock: Arc<dyn Clock>) -> Self {
        let (sender, queue) = mpsc::channel(MAX_WAITERS);
        let worker = Worker {
            handler: Arc::new(handler),
            queue,
            wait_timeout,
            clock: Arc::clone(&clock),
            tasks: TaskTracker::new(),
        };
        worker.tasks.clone().spawn(worker.run());
        Self {
            queue: sender,
            clock,
        }
    }

    /// The answer to one question. After [`BatchError::TimedOut`] it was not asked.
    pub(super) async fn ask(&self, question: T::Question) -> Result<T::Answer, BatchError> {
        let (sender, answer) = oneshot::channel();
        let waiting = Waiting {
            question,
            answer: sender,
            since: self.clock.monotonic(),
        };
        self.queue
            .try_send(waiting)
            .map_err(|_| BatchError::QueueFull)?;
        answer.await.unwrap_or(Err(BatchError::Died))
    }
}

impl<T: BatchHandler> Worker<T> {
    async fn run(mut self) {
        while let Some(batch) = self.next().await {
            let (questions, senders): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|it| (it.question, it.answer)).unzip();
            let handler = Arc::clone(&self.handler);
            // In a task, so that a panic affects only this batch.
            let answers = self
                .tasks
                .spawn(async move { handler.answer(questions).await });
            for (sender, answer) in senders.into_iter().zip(answers.await.unwrap_or_default()) {
                // The receiver may be dropped.
                let _ = sender.send(Ok(answer));
            }
        }
    }

    /// The next batch with a request that still waits.
    async fn next(&mut self) -> Option<Vec<Waiting<T>>> {
        loop {
            let mut batch = vec![self.queue.recv().await?];
            self.gather().await;
            while batch.len() < MAX_BATCH
                && let Ok(next) = self.queue.try_recv()
            {
                batch.push(next);
            }
            let now = self.clock.monotonic();
            let is_late = |it: &mut Waiting<T>| now.saturating_sub(it.since) > self.wait_timeout;
            for late in batch.extract_if(.., is_late) {
                // The receiver may be dropped.
                let _ = late.answer.send(Err(BatchError::TimedOut));
            }
            batch.retain(|it| !it.answer.is_closed());
            if !batch.is_empty() {
                return Some(batch);
            }
        }
    }

    /// Lets other ready tasks run first, so that their questions join this batch, until no more come.
    async fn gather(&self) {
        let mut before = self.queue.len();
        loop {
            tokio::task::yield_now().await;
            let now = self.queue.len();
            if now == before || now >= MAX_BATCH {
                return;
            }
            before = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt as _;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::limits::stopped_clock::StoppedClock;

    const DEADLY: u32 = 1_000;

    /// Says what it was asked and how many were asked with it, when it is let.
    struct Echo {
        let_it: Arc<Semaphore>,
        asked: Arc<AtomicUsize>,
    }

    impl BatchHandler for Echo {
        type Question = u32;
        type Answer = (u32, usize);

        async fn answer(&self, questions: Vec<u32>) -> Vec<(u32, usize)> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.let_it.acquire().await.expect("open").forget();
            assert!(!questions.contains(&DEADLY), "a panic");
            let together = questions.len();
            questions.into_iter().map(|it| (it, together)).collect()
        }
    }

    struct Bench {
        batches: Batches<Echo>,
        let_it: Arc<Semaphore>,
        asked: Arc<AtomicUsize>,
        clock: Arc<StoppedClock>,
    }

    impl Bench {
        fn new(permits: usize) -> Self {
            let let_it = Arc::new(Semaphore::new(permits));
            let asked = Arc::new(AtomicUsize::new(0));
            let clock = Arc::new(StoppedClock::default());
            let echo = Echo {
                let_it: Arc::clone(&let_it),
                asked: Arc::clone(&asked),
            };
            Self {
                batches: Batches::new(echo, Duration::from_secs(2), Arc::clone(&clock) as _),
                let_it,
                asked,
                clock,
            }
        }

        /// Waits until the first batch has begun.
        async fn begun(&self) {
            while self.asked.load(Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn questions_during_a_batch_share_the_next_ones() {
        let bench = Bench::new(0);
        let batches = &bench.batches;
        let mut first = Box::pin(batches.ask(1));
        assert_eq!(first.as_mut().now_or_never(), None);
        bench.begun().await;
        let others = futures_util::future::join_all((2..102).map(|n| batches.ask(n)));
        let mut others = Box::pin(others);
        assert_eq!(others.as_mut().now_or_never(), None);
        bench.let_it.add_permits(3);
        assert_eq!(first.await, Ok((1, 1)));
        let told = others.await;
        assert_eq!(told[0], Ok((2, 64)));
        assert_eq!(told[99], Ok((101, 36)));
    }

    #[tokio::test]
    async fn questions_that_waited_too_long_time_out() {
        let bench = Bench::new(0);
        let batches = &bench.batches;
        let mut first = Box::pin(batches.ask(1));
        assert_eq!(first.as_mut().now_or_never(), None);
        bench.begun().await;
        let mut late = Box::pin(batches.ask(2));
        assert_eq!(late.as_mut().now_or_never(), None);
        bench.clock.advance(Duration::from_secs(3));
        let mut next = Box::pin(batches.ask(3));
        assert_eq!(next.as_mut().now_or_never(), None);
        bench.let_it.add_permits(9);
        // Its batch had begun.
        assert_eq!(first.await, Ok((1, 1)));
        assert_eq!(late.await, Err(BatchError::TimedOut));
        assert_eq!(next.await, Ok((3, 1)));
        assert_eq!(batches.ask(4).await, Ok((4, 1)));
    }

    #[tokio::test]
    async fn a_panic_is_told_and_the_next_one_is_answered() {
        let bench = Bench::new(9);
        let batches = &bench.batches;
        assert_eq!(batches.ask(DEADLY).await, Err(BatchError::Died));
        assert_eq!(batches.ask(14).await, Ok((14, 1)));
    }

    #[tokio::test]
    async fn the_line_is_bounded() {
        let bench = Bench::new(0);
        let batches = &bench.batches;
        let mut waiting: Vec<_> = (0..MAX_WAITERS).map(|_| Box::pin(batches.ask(1))).collect();
        for one in &mut waiting {
            assert_eq!(one.as_mut().now_or_never(), None);
        }
        assert_eq!(batches.ask(1).await, Err(BatchError::QueueFull));
        bench.let_it.add_permits(MAX_WAITERS);
        assert_eq!(waiting.swap_remove(0).await, Ok((1, 64)));
    }
}
