//! What is wrong among the processes that serve the database.

use parking_lot::Mutex;

/// As of the last look.
#[derive(Debug, Default)]
pub struct Replicas(Mutex<Option<String>>);

impl Replicas {
    /// Says what is wrong; `None` if nothing is.
    pub fn report(&self, fault: Option<String>) {
        *self.0.lock() = fault;
    }

    pub(crate) fn fault(&self) -> Option<String> {
        self.0.lock().clone()
    }
}
