//! Long work on policies for the service's workbench. It runs in a separate process with limits on memory and time, so
//! that a sent folder cannot crash the service.

mod coverage;
mod job;

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

pub use job::{WorkbenchEvent, WorkbenchJob};

use charter_domain::clock::Clock;
use charter_domain::progress::Progress;

/// Interval of progress events, which also detect that the receiver is gone.
const INTERVAL: Duration = Duration::from_millis(500);

/// Runs a job. `report` gets its events, the last of which is the result; it returns false when the receiver is gone.
pub fn run(job: &WorkbenchJob, clock: &dyn Clock, mut report: impl FnMut(&WorkbenchEvent) -> bool) {
    let progress = Progress::default();
    let (sender, events) = channel();
    thread::scope(|scope| {
        let counted = progress.clone();
        scope.spawn(move || {
            let emit = |event| {
                // An error means that the receiver is gone.
                let _ = sender.send(event);
            };
            let result = job::run(job, clock, &counted, &emit);
            emit(result);
        });
        loop {
            let event = match events.recv_timeout(INTERVAL) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => WorkbenchEvent::Progress {
                    done: progress.done(),
                    known: progress.known(),
                },
                Err(RecvTimeoutError::Disconnected) => {
                    WorkbenchEvent::Failed("the work ended unexpectedly".to_owned())
                }
            };
            if !report(&event) || event.is_last() {
                break;
            }
        }
    });
}
