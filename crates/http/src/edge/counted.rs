//! Gauges of things that are alive: up when one is made, down when it is dropped, however it ends.

use metrics::Gauge;

/// One living thing of those that a gauge counts.
pub(super) struct Counted(Gauge);

impl Counted {
    pub(super) fn new(gauge: &Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
