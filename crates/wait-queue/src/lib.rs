//! A semaphore with a bounded, fair queue: each waiter has a deadline, and holders take turns, so that many
//! waiters of one holder do not delay the others. It does not know what the permits are for.

mod capacity;
mod lane;
mod queue;
#[cfg(test)]
mod tests;

pub use capacity::Capacity;
pub use lane::Limits;
pub use queue::{Permit, WaitError, WaitQueue};
