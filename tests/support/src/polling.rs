//! Waits for what the service does in its own time.

use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(10);
/// Longer than anything takes on a busy machine; only a failing test waits that long.
const WAIT_TIMEOUT: Duration = Duration::from_mins(5);

/// Waits until it holds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    found(what, async || holds().await.then_some(())).await;
}

/// Waits until there is one.
pub async fn found<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(WAIT_TIMEOUT, looking)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"))
}
