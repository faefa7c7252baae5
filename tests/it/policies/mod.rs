//! The policy folder: its language, its tools, and edits of it while the service runs.

mod broken;
mod conditions;
mod coverage;
mod decisions;
mod diff;
mod diff_meaning;
mod diff_revisions;
mod edits;
mod example_faults;
mod examples;
mod explain;
mod faults;
mod invariants;
mod language;
mod layout;
mod matrix;
mod prove;
mod prove_cache;
mod prove_requests;
mod prove_solver;
mod refusals;
mod roles;
mod rules;
mod test_command;
