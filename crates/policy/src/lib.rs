//! The security team's tools over the same policies that the service decides by: what they ask
//! here of a folder is answered about exactly what would be served.

#![warn(missing_docs, clippy::missing_errors_doc, clippy::must_use_candidate)]

pub mod analysis;
mod by_action;
pub mod conditions;
pub mod counterexample;
pub mod diff;
pub mod explain;
pub mod format;
pub mod gates;
pub mod limits;
pub mod manifest;
pub mod named;
pub mod plain;
mod policy_set;
mod possible;
pub mod replay;
mod request_type;
mod served;
pub mod solver;
pub mod solver_args;
pub mod stop;
pub mod test;
pub mod verdict;
pub mod written_request;
