//! Limits searches of the decision log to one at a time, because a search reads the disk heavily. Waiters hold no
//! thread, and organizations take turns.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use charter_budgets::{Budgets, Exhausted, Hold, Resource};
use charter_domain::id::OrganizationId;
use charter_wait_queue::{Limits, Permit, WaitQueue};

use crate::respond::ApiError;

/// How long a search waits for earlier ones.
const WAIT_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_WAITERS: usize = 16;

/// The queue of searches.
#[derive(Debug)]
pub struct Searches {
    queue: WaitQueue<OrganizationId>,
    budgets: Arc<Budgets>,
}

/// Held by the thread that searches.
#[derive(Debug)]
pub struct SearchPermit {
    _permit: Permit<OrganizationId>,
    _share: Hold,
}

/// Why a search was refused.
#[derive(Debug, thiserror::Error)]
pub enum NoPermit {
    /// The organization has used its share.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// Too many searches are queued.
    #[error("too many searches of the decision log are under way")]
    QueueFull,
}

impl From<NoPermit> for ApiError {
    fn from(refusal: NoPermit) -> Self {
        match refusal {
            NoPermit::Exhausted(exhausted) => exhausted.into(),
            NoPermit::QueueFull => Self::unavailable(refusal, 1),
        }
    }
}

impl Searches {
    /// Organizations have shares of [`Resource::Searches`] and [`Resource::SearchesAtOnce`].
    #[must_use]
    pub fn new(budgets: Arc<Budgets>) -> Self {
        let limits = Limits {
            per_holder: 1,
            max_waiters: MAX_WAITERS,
        };
        Self {
            queue: WaitQueue::new(1, limits),
            budgets,
        }
    }

    /// Waits for a permit. [`NoPermit`] if it took too long, too many wait already, or the organization has used
    /// its share.
    pub async fn permit(&self, organization: OrganizationId) -> Result<SearchPermit, NoPermit> {
        let share = self.budgets.hold(Resource::SearchesAtOnce, organization)?;
        self.budgets.charge(Resource::Searches, organization, 1)?;
        let deadline = Instant::now() + WAIT_TIMEOUT;
        let permit = self.queue.acquire(organization, deadline).await;
        Ok(SearchPermit {
            _permit: permit.map_err(|_| NoPermit::QueueFull)?,
            _share: share,
        })
    }
}
