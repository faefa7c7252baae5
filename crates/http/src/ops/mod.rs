//! What operators ask: is the process alive, can it serve, how is it doing, may somebody do something
//! (contract section 6).

mod decision_log;
pub mod evaluation;
pub mod health;
pub mod metrics;
mod part;
mod policies;
mod readiness;
mod replay_guard;

pub use readiness::status;
