//! Proves, over all requests that the schema allows, what must hold of a policy set: each
//! invariant, that no policy can fail, and that each can match.

pub mod cache;
mod error_freedom;
mod findings;
mod gate;
pub(super) mod group_changes;
mod invariant;
mod invariants;
mod known;
mod observations;
mod prover;
mod report;
mod search;
mod shadow;
mod subject;
mod vacuity;

pub use findings::{Claim, Finding, Proofs, Shadow, ShadowedBy, Verdict};
pub use gate::{NotProved, prove_for_gate};
pub use prover::{Options, prove};
