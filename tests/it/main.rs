//! The one integration binary: one link, and a warm edit-to-test loop of seconds.
//!
//! Each module answers for one promise of the contract or of the house.
#![cfg(test)]

mod access;
mod circles;
mod clock_jumps;
mod commands;
mod console;
mod decisions;
mod dependencies;
mod edge;
mod floor_plan;
mod mail;
mod metric_names;
mod policies;
mod policy_broken;
mod policy_conditions;
mod policy_coverage;
mod policy_diff;
mod policy_diff_meaning;
mod policy_edits;
mod policy_examples;
mod policy_explain;
mod policy_faults;
mod policy_invariants;
mod policy_language;
mod policy_layout;
mod policy_matrix;
mod policy_prove;
mod policy_prove_cache;
mod policy_prove_requests;
mod policy_prove_solver;
mod policy_refusals;
mod policy_roles;
mod policy_rules;
mod policy_test_command;
mod private_files;
mod proxy_command;
mod readme;
mod replay;
mod request_command;
mod signed_server;
mod signing_docs;
mod sources;
mod store;
mod surface;
mod workbench;
mod writing_policies;
