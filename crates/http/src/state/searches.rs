//! One search of the decision log at a time: it is work for a whole disk. Who waits holds no
//! thread, so that a crowd takes none from anybody else; nor does one organization fill the line.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use charter_budgets::{Budgets, Exhausted, Hold, Resource};
use charter_domain::id::OrganizationId;

use crate::respond::ApiError;

/// How long a search waits for those before it.
const WAIT_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_WAITERS: usize = 16;

/// The right to search, and the line for it.
#[derive(Debug)]
pub struct Searches {
    permits: Arc<Semaphore>,
    line: Semaphore,
    budgets: Arc<Budgets>,
}

/// The right to search; it goes to the thread that does.
#[derive(Debug)]
pub struct SearchPermit {
    _turn: OwnedSemaphorePermit,
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
        Self {
            permits: Arc::new(Semaphore::new(1)),
            line: Semaphore::new(MAX_WAITERS),
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
        Ok(SearchPermit {
            _turn: self.turn().await?,
            _share: share,
        })
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, NoPermit> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let _in_line = self.line.try_acquire().map_err(|_| NoPermit::QueueFull)?;
        let permit = Arc::clone(&self.permits).acquire_owned();
        match tokio::time::timeout(WAIT_TIMEOUT, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            // Nobody closes the semaphore; if somebody did, nothing would be searched.
            Ok(Err(_)) | Err(_) => Err(NoPermit::QueueFull),
        }
    }
}
