//! A fault that background work reports, for readiness.

use parking_lot::Mutex;

/// The fault found last.
#[derive(Debug, Default)]
pub struct ReportedFault(Mutex<Option<String>>);

impl ReportedFault {
    /// Sets or clears the fault.
    pub fn report(&self, fault: Option<String>) {
        *self.0.lock() = fault;
    }

    pub(crate) fn found(&self) -> Option<String> {
        self.0.lock().clone()
    }
}
