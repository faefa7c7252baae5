//! What a candidate must pass before it decides anything. It runs in a process of its own, which
//! may die of a policy without harm to the service.

mod loaded;
mod manifest;
mod request;
mod run;
mod verdict;

pub use manifest::check_manifest;
pub use request::{CheckRequest, Demand, Kept};
pub use run::{how_to_approve, run};
pub use verdict::{Finding, Gate, Verdict};
