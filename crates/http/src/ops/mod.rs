//! Pages for operators: liveness, readiness, metrics (contract section 6).

mod decision_log;
mod domains;
pub mod health;
mod in_force;
pub mod metrics;
mod part;
mod policies;
mod readiness;
mod replay_guard;

pub use readiness::status;
