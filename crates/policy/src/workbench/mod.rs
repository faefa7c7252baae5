//! Long work on policies for the service's workbench. It runs in a process of its own, with bounds on memory and
//! time: a folder that somebody sent may crash it without harm to the service.

mod coverage;
mod job;

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

pub use job::{WorkbenchEvent, WorkbenchJob};

use charter_domain::clock::Clock;
use charter_domain::progress::Progress;

/// How often progress is reported, also to notice that nobody listens any more.
const INTERVAL: Duration = Duration::from_millis(500);

/// Runs a job. `report` gets its events, the last of which is the result; it returns whether somebody still
/// listens.
pub fn run(job: &WorkbenchJob, clock: &dyn Clock, mut report: impl FnMut(&WorkbenchEvent) -> bool) {
    let progress = Progress::default();
    let (sender, events) = channel();
    thread::scope(|scope| {
        let counted = progress.clone();
        scope.spawn(move || {
            let emit = |event| {
                // The other end is gone when nobody listens.
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
