//! Charter: an organizations API whose every permission is decided by Cedar policies.
//!
//! The modules are the floors of the house; ARCHITECTURE.md says which may use which.

pub mod app;
pub mod authn;
pub mod authz;
pub mod budgets;
pub mod cli;
pub mod domain;
pub mod http;
pub mod mail;
pub mod policy;
pub mod settings;
pub mod store;
pub mod system;
pub mod telemetry;
