//! Counters that replicas share, over the guard's connection.

use std::sync::Arc;

use super::guard::{Parts, RedisGuard};

/// Counters that replicas share. What cannot be counted there is reported, and left to each process.
#[derive(Clone)]
pub struct SharedCounters {
    parts: Arc<Parts>,
    process: u64,
}

impl RedisGuard {
    #[must_use]
    pub fn counters(&self) -> SharedCounters {
        let mut process = [0; 8];
        self.parts.entropy.fill(&mut process);
        SharedCounters {
            parts: Arc::clone(&self.parts),
            process: u64::from_le_bytes(process),
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

    /// What the script returns for each key; `None` while Redis cannot be relied on, which the guard tells.
    pub(crate) async fn totals(
        &self,
        script: &str,
        keys: &[String],
        args: &[u64],
    ) -> Option<Vec<u64>> {
        let epoch = self.parts.epoch.load_full()?;
        epoch.connection.run(script, keys, args).await.ok()
    }

    /// Tells this process from others.
    pub(crate) const fn process(&self) -> u64 {
        self.process
    }
}
