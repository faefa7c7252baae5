//! The integration tests, in one binary that links quickly. Each module tests one rule of the contract or of the
//! repository.
#![cfg(test)]
#![expect(
    clippy::too_many_lines,
    reason = "a test tells one story, or has one table"
)]

mod access;
mod actors;
mod circles;
mod clock_jumps;
mod commands;
mod console;
mod decisions;
mod dependencies;
mod edge;
mod layering;
mod mail;
mod metric_names;
mod policies;
mod private_files;
mod protect_a_service;
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
