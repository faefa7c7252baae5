//! Turns of the domains' checks: a few at a time, so that a hundred edits do not take the machine, and none waits for
//! one that hangs. Checks of the built-in policies and of emergency stops need no turn.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// After this time a check makes room for the others and goes on beside them.
const QUICK: Duration = Duration::from_secs(2);
/// How many such checks go on at a time; further ones keep their turn.
const SLOW: usize = 16;

#[derive(Clone)]
pub(super) struct CheckTurns {
    quick: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    /// How long a check is a quick one.
    time: Duration,
}

impl CheckTurns {
    /// As many at a time as there are processors.
    pub(super) fn new() -> Self {
        let processors = thread::available_parallelism().map_or(2, usize::from);
        Self::of(processors, SLOW, QUICK)
    }

    fn of(quick: usize, slow: usize, time: Duration) -> Self {
        Self {
            quick: Arc::new(Semaphore::new(quick)),
            slow: Arc::new(Semaphore::new(slow)),
            time,
        }
    }

    /// Runs a check when it is its turn.
    pub(super) async fn run<T>(&self, check: impl Future<Output = T>) -> T {
        let turn = take(&self.quick).await;
        let mut check = pin!(check);
        if let Ok(done) = tokio::time::timeout(self.time, check.as_mut()).await {
            return done;
        }
        let _slow = tokio::select! {
            done = check.as_mut() => return done,
            slow = take(&self.slow) => slow,
        };
        drop(turn);
        check.await
    }
}

/// `None` would mean that the semaphore is closed, which nobody does.
async fn take(turns: &Semaphore) -> Option<SemaphorePermit<'_>> {
    turns.acquire().await.ok()
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn, ready};
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn checks_that_hang_hold_up_no_others() {
        let turns = CheckTurns::of(2, 3, Duration::ZERO);
        let hang = || turns.run(pending::<()>());
        tokio::select! {
            _ = async { tokio::join!(hang(), hang(), hang()) } => unreachable!("they hang"),
            found = turns.run(ready(7)) => assert_eq!(found, 7),
        }
    }

    #[tokio::test]
    async fn no_more_run_than_have_a_turn_or_a_place_beside() {
        let turns = CheckTurns::of(1, 1, Duration::ZERO);
        let (begun, end) = (Semaphore::new(0), Semaphore::new(0));
        let check = || {
            turns.run(async {
                begun.add_permits(1);
                take(&end).await
            })
        };
        let watch = async {
            while begun.available_permits() < 2 {
                tokio::task::yield_now().await;
            }
            let mut third = pin!(check());
            let waits = poll_fn(|context| Poll::Ready(third.as_mut().poll(context).is_pending()));
            assert!(waits.await);
            assert_eq!(begun.available_permits(), 2);
            end.add_permits(3);
            third.await.is_some()
        };
        assert!(tokio::join!(check(), check(), watch).2);
    }
}
