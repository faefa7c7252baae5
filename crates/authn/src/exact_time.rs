//! Waits that end when they should, for answers whose time must tell nothing.
//!
//! The runtime sleeps for whole milliseconds from when its thread has nothing left to do. So the end of a wait there
//! shows how long the work before it took, modulo one millisecond. A thread of its own, woken by the system's timers,
//! does not depend on that work.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;

use tokio::sync::oneshot;
use tokio::time::Instant;

type Wait = (Instant, oneshot::Sender<()>);

static WAITS: LazyLock<Sender<Wait>> = LazyLock::new(|| {
    let (waits, received) = mpsc::channel();
    let thread = thread::Builder::new().name("exact-time".to_owned());
    if let Err(error) = thread.spawn(move || end_waits(&received)) {
        tracing::error!(%error, "no thread for exact waits: times of answers may tell known keys from others");
    }
    waits
});

/// Returns at `deadline`, to about a tenth of a millisecond.
pub async fn sleep_until(deadline: Instant) {
    let (ended, end) = oneshot::channel();
    let is_waiting = WAITS.send((deadline, ended)).is_ok() && end.await.is_ok();
    if !is_waiting {
        tokio::time::sleep_until(deadline).await;
    }
}

fn end_waits(received: &Receiver<Wait>) {
    let mut waits = BTreeMap::<Instant, Vec<oneshot::Sender<()>>>::new();
    loop {
        let next = match waits.first_key_value() {
            None => received.recv().map_err(RecvTimeoutError::from),
            Some((deadline, _)) => {
                received.recv_timeout(deadline.saturating_duration_since(Instant::now()))
            }
        };
        match next {
            Ok((deadline, ended)) => waits.entry(deadline).or_default().push(ended),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let now = Instant::now();
        while let Some(first) = waits.first_entry().filter(|first| *first.key() <= now) {
            for ended in first.remove() {
                // Its request may be gone.
                let _ = ended.send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn no_wait_ends_too_early() {
        let start = Instant::now();
        let waits = [30, 0, 20, 10, 10, 40]
            .map(Duration::from_millis)
            .map(async |after| {
                sleep_until(start + after).await;
                assert!(start.elapsed() >= after, "{after:?}");
            });
        join_all(waits).await;
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_keeps_no_other_from_its_end() {
        let deadline = Instant::now() + Duration::from_millis(5);
        let mut given_up = Box::pin(sleep_until(deadline));
        assert!(futures_util::poll!(&mut given_up).is_pending());
        drop(given_up);
        sleep_until(deadline).await;
    }
}
