//! What operators ask: is the process alive, can it serve, how is it doing (contract section 6).

mod decision_log;
mod domains;
pub mod health;
pub mod metrics;
mod part;
mod policies;
mod readiness;
mod replay_guard;

pub use readiness::status;
