//! Metrics of write transactions, looked up by name once.

use metrics::{Counter, Histogram, counter, histogram};

pub(super) struct WriteMetrics {
    pub(super) seconds: Histogram,
    pub(super) audit_events: Counter,
}

impl WriteMetrics {
    pub(super) fn new() -> Self {
        Self {
            seconds: histogram!("charter_store_write_seconds"),
            audit_events: counter!("charter_audit_events_total"),
        }
    }
}
