//! Limits how many connections an organization holds at a time, so that others get theirs.

use std::time::Duration;

use charter_domain::id::OrganizationId;
use charter_wait_queue::{Limits, Permit, WaitError, WaitQueue};
use tokio::time::Instant;

use super::Error;

/// One works, and one is ready to go on.
const AT_ONCE: usize = 2;
/// Over all organizations. Beyond it, the newest waiter of the organization with the most waiters is refused.
const MAX_WAITERS: usize = 10_000;

/// Running and waiting requests.
#[derive(Debug)]
pub(super) struct OrganizationQueue {
    queue: WaitQueue<OrganizationId>,
    /// The kind of work, in the plural.
    work: &'static str,
}

pub(super) type OrganizationPermit = Permit<OrganizationId>;

impl OrganizationQueue {
    /// At most `at_once` of all organizations together.
    pub(super) fn new(work: &'static str, at_once: usize) -> Self {
        let limits = Limits {
            per_holder: AT_ONCE,
            max_waiters: MAX_WAITERS,
        };
        Self {
            queue: WaitQueue::new(at_once, limits),
            work,
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] on a timeout.
    pub(super) async fn enter(
        &self,
        organization: OrganizationId,
        wait_timeout: Duration,
    ) -> Result<OrganizationPermit, Error> {
        let deadline = Instant::now() + wait_timeout;
        self.result(self.queue.acquire(organization, deadline).await)
    }

    /// The same, ahead of the organization's others.
    pub(super) async fn enter_urgently(
        &self,
        organization: OrganizationId,
        wait_timeout: Duration,
    ) -> Result<OrganizationPermit, Error> {
        let deadline = Instant::now() + wait_timeout;
        self.result(self.queue.acquire_urgently(organization, deadline).await)
    }

    fn result(
        &self,
        permit: Result<OrganizationPermit, WaitError>,
    ) -> Result<OrganizationPermit, Error> {
        permit.map_err(|_| {
            let work = self.work;
            Error::unavailable(format!(
                "too many other {work} of the organization are under way"
            ))
        })
    }
}
