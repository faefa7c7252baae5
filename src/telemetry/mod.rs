//! Log, metrics and traces of the running service.
//!
//! Depends on no other module. Code records through the `tracing` and `metrics` macros; `app` and `cli` install
//! this module before anything else is built.

pub mod catalogue;
mod dropped_lines;
pub mod log;
pub mod metrics;
pub mod traces;
