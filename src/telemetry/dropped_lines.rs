//! Counts log lines that were dropped because standard error was not read fast enough, and logs the count once
//! there is room again.

use std::sync::OnceLock;

use parking_lot::Mutex;
use tracing_appender::non_blocking::ErrorCounter;

static COUNTED: OnceLock<DroppedLines> = OnceLock::new();

struct DroppedLines {
    counter: ErrorCounter,
    reported: Mutex<usize>,
}

/// Starts counting.
pub(super) fn count(counter: ErrorCounter) {
    // Fails only for a second log, which cannot be started.
    let _ = COUNTED.set(DroppedLines {
        counter,
        reported: Mutex::new(0),
    });
}

/// Updates the metric, and logs the number of lines dropped since the last report.
pub(super) fn report() {
    if let Some(dropped) = COUNTED.get() {
        dropped.report();
    }
}

impl DroppedLines {
    fn report(&self) {
        let mut reported = self.reported.lock();
        let now = self.counter.dropped_lines();
        metrics::counter!("charter_log_lines_dropped_total")
            .absolute(u64::try_from(now).unwrap_or(u64::MAX));
        if now == *reported {
            return;
        }
        tracing::warn!(
            lines = now - *reported,
            "log lines were dropped: standard error was not read fast enough"
        );
        // If there is no room yet, this line was dropped too.
        if self.counter.dropped_lines() == now {
            *reported = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Arc;
    use std::sync::mpsc;

    use tracing_appender::non_blocking::NonBlockingBuilder;

    use super::*;
    use crate::telemetry::log::{Format, subscriber};

    /// Writes a line when the test allows it.
    struct Slow {
        lines: Arc<Mutex<String>>,
        waits: mpsc::Sender<()>,
        go_on: mpsc::Receiver<()>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Both fail when the test is over.
            let _ = self.waits.send(());
            let _ = self.go_on.recv();
            self.lines.lock().push_str(&String::from_utf8_lossy(bytes));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn dropped_lines_are_counted_once_there_is_room() {
        let (go, go_on) = mpsc::channel();
        let (waits, writer_waits) = mpsc::channel();
        let lines = Arc::new(Mutex::new(String::new()));
        let slow = Slow {
            lines: Arc::clone(&lines),
            waits,
            go_on,
        };
        let (writer, guard) = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(2)
            .finish(slow);
        let dropped = DroppedLines {
            counter: writer.error_counter(),
            reported: Mutex::new(0),
        };
        let subscriber = subscriber(Format::Human, "info", writer).expect("a level");
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("the writer has this one in hand");
            writer_waits.recv().expect("the writer");
            while dropped.counter.dropped_lines() == 0 {
                tracing::info!("nobody reads this");
            }
            dropped.report();
            assert_eq!(
                *dropped.reported.lock(),
                0,
                "there was no room to report it"
            );
            let counted = dropped.counter.dropped_lines();
            // From here on every line is read, so room becomes free.
            drop(go);
            while *dropped.reported.lock() == 0 {
                dropped.report();
            }
            let reported = *dropped.reported.lock();
            assert!(reported >= counted);
            dropped.report();
            assert_eq!(*dropped.reported.lock(), reported, "it is reported once");
        });
        drop(guard);
        let lines = lines.lock();
        assert_eq!(
            lines.matches("log lines were dropped").count(),
            1,
            "{lines}"
        );
    }
}
