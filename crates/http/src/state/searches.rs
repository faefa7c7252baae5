//! One search of the decision log at a time: it is work for a whole disk. Who waits holds no
//! thread, so that a crowd takes none from anybody else; turns go round the organizations.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use charter_budgets::{Budgets, Exhausted, Hold, Resource};
use charter_domain::id::OrganizationId;
use charter_wait_queue::{Limits, Permit, WaitQueue};

use crate::respond::ApiError;

/// How long a search waits for those before it.
const WAIT_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_WAITERS: usize = 16;

/// The right to search, and the line for it.
#[derive(Debug)]
pub struct Searches {
    queue: WaitQueue<OrganizationId>,
    budgets: Arc<Budgets>,
}

/// The right to search; it goes to the thread that does.
#[derive(Debug)]
pub struct SearchPermit {
    _permit: Permit<OrganizationId>,
    _share: Hold,
}

/// Why there was no right to search.
#[derive(Debug, thiserror::Error)]
pub enum NoPermit {
    /// The organization searches, or waits to, as often as it may.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// Too many others search.
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
    /// Organizations have their shares of [`Resource::Searches`] and [`Resource::SearchesAtOnce`].
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

    /// Waits for the right to search.
    ///
    /// # Errors
    ///
    /// [`NoPermit`] if it did not come in time, too many wait already, or the organization has had
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
