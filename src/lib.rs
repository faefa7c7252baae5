//! Charter: an organizations API whose every permission is decided by Cedar policies.
//!
//! The binary's crate; the lower layers are crates of their own (ARCHITECTURE.md).

pub mod app;
pub mod cli;
pub mod settings;
pub mod telemetry;
