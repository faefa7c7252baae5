//! The time limit of a request head.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// A timer that runs while a head is awaited or incomplete.
pub(super) struct HeadTimeout {
    limit: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl HeadTimeout {
    /// Starts with the connection, for its first head.
    pub(super) fn start(limit: Duration) -> Self {
        Self {
            limit,
            deadline: Some(Box::pin(sleep(limit))),
        }
    }

    /// Starts the timer at the first byte of a head and stops it at its end.
    pub(super) fn follow(&mut self, is_in_head: bool) {
        if !is_in_head {
            self.deadline = None;
        } else if self.deadline.is_none() {
            self.deadline = Some(Box::pin(sleep(self.limit)));
        }
    }

    pub(super) fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        self.deadline
            .as_mut()
            .is_some_and(|deadline| deadline.as_mut().poll(context).is_ready())
    }
}
