//! What an operator sees of a running service: log lines, metrics and traces.
//!
//! Knows no other floor. Modules write through the `tracing` and `metrics` macros and never name
//! this one; `app` and `cli` install it, before anything else is built.

pub mod catalogue;
mod dropped_lines;
pub mod log;
pub mod metrics;
pub mod traces;
