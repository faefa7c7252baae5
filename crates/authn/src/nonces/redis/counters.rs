//! Counters that replicas share, over the guard's connection.

use std::sync::Arc;

use super::guard::{Parts, RedisGuard};

/// Counters that replicas share. What cannot be counted there is told, and left to each process.
#[derive(Clone)]
pub struct SharedCounters {
    parts: Arc<Parts>,
}

impl RedisGuard {
    #[must_use]
    pub fn counters(&self) -> SharedCounters {
        SharedCounters {
            parts: Arc::clone(&self.parts),
        }
    }
}

impl SharedCounters {
    /// The name of the counter of something, which Redis does not learn.
    pub(crate) fn key(&self, of: &str) -> String {
        format!("charter:l:{:032x}", self.parts.fingerprints.of_text(of))
    }

    /// What the script returns; `None` while Redis cannot be relied on.
    pub(crate) async fn run(&self, script: &str, keys: &[String], args: &[u64]) -> Option<u64> {
        let epoch = self.parts.epoch.load_full()?;
        match epoch.connection.run(script, keys, args).await {
            Ok(number) => Some(number),
            Err(error) => {
                tracing::warn!(%error, "limits of anonymous clients are counted by this process alone meanwhile");
                None
            }
        }
    }
}
