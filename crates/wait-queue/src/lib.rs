//! A semaphore with a bounded waiting line: each waiter has a deadline, and turns go round the holders, so that a
//! crowd of one does not keep the others waiting. It knows nothing of what is waited for.

mod capacity;
mod lane;
mod queue;
#[cfg(test)]
mod tests;

pub use capacity::Capacity;
pub use lane::Limits;
pub use queue::{Permit, WaitError, WaitQueue};
