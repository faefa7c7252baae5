//! One search of the decision log at a time: it is work for a whole disk. Who waits holds no
//! thread, so that a crowd takes none from anybody else.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a search waits for those before it.
const PATIENCE: Duration = Duration::from_secs(2);
/// Who may wait.
const LONGEST_LINE: usize = 16;

/// The right to search, and the line for it.
#[derive(Debug)]
pub struct Searches {
    permits: Arc<Semaphore>,
    line: Semaphore,
}

/// The right to search; it goes to the thread that does.
pub type SearchPermit = OwnedSemaphorePermit;

/// Too many others search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many searches of the decision log are under way")]
pub struct Crowded;

impl Default for Searches {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(1)),
            line: Semaphore::new(LONGEST_LINE),
        }
    }
}

impl Searches {
    /// Waits for the right to search.
    ///
    /// # Errors
    ///
    /// [`Crowded`] if it did not come in time, or too many wait already.
    pub async fn permit(&self) -> Result<SearchPermit, Crowded> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let _in_line = self.line.try_acquire().map_err(|_| Crowded)?;
        let permit = Arc::clone(&self.permits).acquire_owned();
        match tokio::time::timeout(PATIENCE, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            // Nobody closes the semaphore; if somebody did, nothing would be searched.
            Ok(Err(_)) | Err(_) => Err(Crowded),
        }
    }
}
