//! Work that must not die with its connection.
//!
//! A client that hangs up drops its handler wherever it waits. A mutation therefore runs in a
//! task of its own, which goes on to its commit; only the answer is lost.

use std::future::{Future, pending};

use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// The running mutations of this process.
#[derive(Debug, Clone, Default)]
pub struct Tasks(TaskTracker);

impl Tasks {
    /// No task yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs the work to its end whatever happens to the caller. A panic inside passes on to the
    /// caller, where the edge turns it into an answer.
    pub async fn run<F>(&self, work: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = self.0.spawn(work.in_current_span());
        match task.await {
            Ok(output) => output,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Nobody aborts these tasks: the runtime itself is going down.
                Err(_cancelled) => pending().await,
            },
        }
    }

    /// Starts work that nobody waits for; what it has to say goes to the log.
    pub fn detach(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(work.in_current_span());
    }

    /// Waits until all work is done.
    pub async fn close_and_wait(&self) {
        self.0.close();
        self.0.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn work_outlives_a_dropped_caller() {
        let tasks = Tasks::new();
        let (started, go_on, done) = (
            Arc::new(Notify::new()),
            Arc::new(Notify::new()),
            Arc::new(AtomicBool::new(false)),
        );
        let work = {
            let (started, go_on, done) = (started.clone(), go_on.clone(), done.clone());
            async move {
                started.notify_one();
                go_on.notified().await;
                done.store(true, Ordering::SeqCst);
            }
        };
        tokio::select! {
            biased;
            () = tasks.run(work) => panic!("the caller was not dropped"),
            () = started.notified() => {}
        }
        let early = tokio::time::timeout(Duration::from_millis(1), tasks.close_and_wait());
        assert!(early.await.is_err(), "it did not wait");
        go_on.notify_one();
        tasks.close_and_wait().await;
        assert!(done.load(Ordering::SeqCst));
    }
}
