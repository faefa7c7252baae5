//! Concurrent claims share a write of the journal.
//!
//! The first one yields to others that are ready, then writes their records, too. All wait for that write.

use std::io;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// The result of a write, for each claim that shares it.
type Outcome = Result<(), (io::ErrorKind, String)>;

/// Records that wait to be written, and the claims that wait for it.
#[derive(Default)]
pub(super) struct SharedWrites(Mutex<Batch>);

#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    /// Whether a claim is about to write it.
    has_leader: bool,
    others: Vec<oneshot::Sender<Outcome>>,
}

impl SharedWrites {
    /// Writes these bytes together with those of others, by the `write` of one of them.
    ///
    /// # Errors
    ///
    /// Those of the write.
    pub(super) async fn write<W>(&self, bytes: &[u8], write: W) -> io::Result<()>
    where
        W: Fn(&[u8]) -> io::Result<()> + Send,
    {
        let other = {
            let mut batch = self.0.lock();
            batch.bytes.extend_from_slice(bytes);
            if batch.has_leader {
                let (sender, outcome) = oneshot::channel();
                batch.others.push(sender);
                Some(outcome)
            } else {
                batch.has_leader = true;
                None
            }
        };
        let outcome = if let Some(outcome) = other {
            outcome.await.unwrap_or_else(|_| {
                let gone = "the write of the journal was aborted".to_owned();
                Err((io::ErrorKind::Other, gone))
            })
        } else {
            let leader = Leader {
                shared: self,
                write,
                is_done: false,
            };
            tokio::task::yield_now().await;
            leader.finish()
        };
        outcome.map_err(|(kind, reason)| io::Error::new(kind, reason))
    }
}

/// Writes the batch even if its own request is dropped: others wait for it.
struct Leader<'a, W: Fn(&[u8]) -> io::Result<()>> {
    shared: &'a SharedWrites,
    write: W,
    is_done: bool,
}

impl<W: Fn(&[u8]) -> io::Result<()>> Leader<'_, W> {
    fn finish(mut self) -> Outcome {
        self.write_all()
    }

    fn write_all(&mut self) -> Outcome {
        self.is_done = true;
        let batch = std::mem::take(&mut *self.shared.0.lock());
        let outcome = (self.write)(&batch.bytes).map_err(|error| (error.kind(), error.to_string()));
        for other in batch.others {
            // The receiver may be dropped.
            let _ = other.send(outcome.clone());
        }
        outcome
    }
}

impl<W: Fn(&[u8]) -> io::Result<()>> Drop for Leader<'_, W> {
    fn drop(&mut self) {
        if !self.is_done {
            // Its own request is gone; the others still wait.
            let _ = self.write_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;

    use super::*;

    #[derive(Default)]
    struct Written {
        shared: SharedWrites,
        writes: Mutex<Vec<Vec<u8>>>,
    }

    impl Written {
        async fn write(&self, byte: u8) -> io::Result<()> {
            let write = |bytes: &[u8]| {
                self.writes.lock().push(bytes.to_vec());
                if bytes.contains(&b'!') {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                Ok(())
            };
            self.shared.write(&[byte], write).await
        }
    }

    #[tokio::test]
    async fn concurrent_writers_share_a_write() {
        let written = Written::default();
        let all = join_all(b"abc".iter().map(|byte| written.write(*byte))).await;
        assert!(all.iter().all(Result::is_ok));
        written.write(b'd').await.expect("written");
        assert_eq!(*written.writes.lock(), [b"abc".to_vec(), b"d".to_vec()]);
    }

    #[tokio::test]
    async fn a_failure_is_told_to_all_who_shared_it_and_to_nobody_else() {
        let written = Written::default();
        for outcome in join_all(b"a!c".iter().map(|byte| written.write(*byte))).await {
            let error = outcome.expect_err("the disk is full");
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
        written.write(b'd').await.expect("written");
    }

    #[tokio::test]
    async fn one_that_is_dropped_is_written_with_the_others() {
        let written = Written::default();
        let mut first = Box::pin(written.write(b'a'));
        assert!(first.as_mut().now_or_never().is_none());
        let mut second = Box::pin(written.write(b'b'));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        second.await.expect("written");
        assert_eq!(*written.writes.lock(), [b"ab".to_vec()]);
    }
}
