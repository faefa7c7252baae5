//! Tools for policy authors. They work on the same snapshots that the service evaluates.

#![warn(missing_docs, clippy::missing_errors_doc, clippy::must_use_candidate)]

pub mod advise;
pub mod analysis;
pub mod commands;
pub mod conditions;
pub mod counted;
pub mod counterexample;
pub mod diff;
pub mod domain_arg;
mod effective_decision;
pub mod emergency_stop;
pub mod explain;
pub mod folder_header;
pub mod format;
pub mod gates;
pub mod manifest;
pub mod new_domain;
mod policies_by_action;
mod policy_set;
pub mod process_limits;
pub mod replay;
mod request_constraints;
pub mod request_json;
mod request_type;
pub mod snapshot_decision;
pub mod solver;
pub mod solver_args;
pub mod terminal_safe;
pub mod test;
pub mod workbench;
