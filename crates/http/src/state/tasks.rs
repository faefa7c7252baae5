//! Work that outlives its connection.
//!
//! When a client disconnects, its handler is dropped at the next await. Writes therefore run in tasks of their
//! own, which continue to their commit; only the response is lost.

use std::future::{Future, pending};

use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// The running writes of this process.
#[derive(Debug, Clone, Default)]
pub struct Tasks(TaskTracker);

impl Tasks {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs the work to its end even if the caller is dropped. A panic is passed on to the caller, where the edge
    /// turns it into a response.
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
                // These tasks are aborted only when the runtime shuts down.
                Err(_cancelled) => pending().await,
            },
        }
    }

    /// Starts work that reports its result only in the log.
    pub fn detach(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(work.in_current_span());
    }

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
