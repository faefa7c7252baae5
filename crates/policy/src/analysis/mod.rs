//! Proves over all requests of the schema that each invariant holds, that no policy can fail and
//! that each policy can match.

mod allowed_requests;
mod analysed_set;
mod claim_cache;
mod error_freedom;
mod findings;
mod gate;
pub(super) mod group_changes;
mod invariant;
mod invariants;
mod observations;
mod observe;
pub mod proof_cache;
mod prover;
mod redundancy;
mod report;
mod vacuity;

pub use findings::{
    Claim, ProofFinding, ProofReport, ProofVerdict, RedundancyCause, RedundantPermit,
};
pub use gate::{NotProved, prove_for_gate};
pub use prover::{Options, prove};
