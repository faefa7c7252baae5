//! Counters that replicas share, over the guard's connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::guard::{RedisGuard, RedisGuardInner};

/// Counters that replicas share. If Redis fails, each process counts by itself.
#[derive(Clone)]
pub struct SharedCounters {
    inner: Arc<RedisGuardInner>,
    process: u64,
    /// Whether the last script failed.
    is_failing: Arc<AtomicBool>,
}

impl RedisGuard {
    #[must_use]
    pub fn counters(&self) -> SharedCounters {
        let mut process = [0; 8];
        self.inner.entropy.fill(&mut process);
        SharedCounters {
            inner: Arc::clone(&self.inner),
            process: u64::from_le_bytes(process),
            is_failing: Arc::default(),
        }
    }
}

impl SharedCounters {
    /// The key of a counter: a hash, so that Redis does not see the name.
    pub(crate) fn key(&self, of: &str) -> String {
        format!("charter:l:{:032x}", self.inner.fingerprints.of_text(of))
    }

    /// Runs a script; `None` while Redis is unreliable.
    pub(crate) async fn run(&self, script: &str, keys: &[String], args: &[u64]) -> Option<u64> {
        let epoch = self.inner.epoch.load_full()?;
        let ran = epoch.connection.run(script, keys, args).await;
        // Once, and not for each request.
        let failed_before = self.is_failing.swap(ran.is_err(), Ordering::Relaxed);
        if let Err(error) = &ran
            && !failed_before
        {
            tracing::warn!(%error, "limits of anonymous clients are counted by this process alone meanwhile");
        } else if ran.is_ok() && failed_before {
            tracing::info!("limits of anonymous clients are shared again");
        }
        ran.ok()
    }

    /// Runs a script that returns a number for each key; `None` while Redis is unreliable, which the guard reports.
    pub(crate) async fn totals(
        &self,
        script: &str,
        keys: &[String],
        args: &[u64],
    ) -> Option<Vec<u64>> {
        let epoch = self.inner.epoch.load_full()?;
        epoch.connection.run(script, keys, args).await.ok()
    }

    /// Identifies this process.
    pub(crate) const fn process(&self) -> u64 {
        self.process
    }
}
