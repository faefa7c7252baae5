//! Shows the progress of long work after a second, if standard error is a terminal.

use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::OutputArgs;
use charter_domain::progress::Progress;

/// Shorter work shows nothing.
const FIRST: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(100);
const ELAPSED: &str = "{spinner} {msg}, {elapsed}";
const SO_FAR: &str = "{spinner} {msg}, {human_pos} so far, {elapsed}";
const COUNTED: &str = "{spinner} {msg}, {human_pos} of {human_len}, {elapsed}";

/// Removed from the terminal when dropped.
pub(super) struct Shown {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Shows `what` is being done and its progress. Does nothing with `--json`.
pub(super) fn show(what: &'static str, output: OutputArgs, progress: &Progress) -> Shown {
    if output.json || !io::stderr().is_terminal() {
        return Shown {
            stop: None,
            thread: None,
        };
    }
    let (stop, stopped) = mpsc::channel();
    let progress = progress.clone();
    let draw = move || {
        let waits = |time| stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
        if !waits(FIRST) {
            return;
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_message(what);
        bar.set_elapsed(FIRST);
        loop {
            let template = match (progress.known(), progress.done()) {
                (0, 0) => ELAPSED,
                (0, _) => SO_FAR,
                _ => COUNTED,
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_length(progress.known());
            bar.set_position(progress.done());
            bar.tick();
            if !waits(INTERVAL) {
                break;
            }
        }
        bar.finish_and_clear();
    };
    let thread = thread::Builder::new().name("progress".to_owned());
    Shown {
        stop: Some(stop),
        // Without a thread the work continues, without a display.
        thread: thread.spawn(draw).ok(),
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
