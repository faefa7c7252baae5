//! Reports faults among the processes that serve the database.

use parking_lot::Mutex;

/// The fault found last.
#[derive(Debug, Default)]
pub struct Replicas(Mutex<Option<String>>);

impl Replicas {
    /// Sets or clears the fault.
    pub fn report(&self, fault: Option<String>) {
        *self.0.lock() = fault;
    }

    pub(crate) fn fault(&self) -> Option<String> {
        self.0.lock().clone()
    }
}
