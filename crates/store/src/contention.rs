//! Who may take a connection, to write or for a list: few of one organization at a time, so that its crowd leaves
//! the connections to others.

use std::time::Duration;

use charter_domain::id::OrganizationId;
use charter_wait_queue::{Limits, Permit, WaitQueue};
use tokio::time::Instant;

use super::Error;

/// One works, and one waits for the lock or for its rows, ready to go on.
const AT_ONCE: usize = 2;
/// Of all organizations. Beyond it the newest of the largest crowd gives way.
const MAX_WAITERS: usize = 10_000;

/// Who works, and who waits to.
#[derive(Debug)]
pub(super) struct OrganizationQueue {
    queue: WaitQueue<OrganizationId>,
    /// What is done, in the plural.
    work: &'static str,
}

pub(super) type OrganizationPermit = Permit<OrganizationId>;

impl OrganizationQueue {
    pub(super) fn new(work: &'static str) -> Self {
        let limits = Limits {
            per_holder: AT_ONCE,
            max_waiters: MAX_WAITERS,
        };
        Self {
            queue: WaitQueue::new(usize::MAX, limits),
            work,
        }
    }

    /// # Errors
    ///
    /// [`Error::Unavailable`] if its turn does not come in time.
    pub(super) async fn enter(
        &self,
        organization: OrganizationId,
        wait_timeout: Duration,
    ) -> Result<OrganizationPermit, Error> {
        let deadline = Instant::now() + wait_timeout;
        let permit = self.queue.acquire(organization, deadline).await;
        permit.map_err(|_| {
            let work = self.work;
            Error::unavailable(format!(
                "too many other {work} of the organization are under way"
            ))
        })
    }
}
