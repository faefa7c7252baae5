//! The gates that a candidate must pass before it takes effect. They run in a process of their own,
//! which a policy may crash without harm to the service.

mod loaded_folder;
mod manifest;
mod request;
mod run;
mod verdict;

pub use manifest::check_manifest;
pub use request::{CheckRequest, GateRequirement, ProofCacheConfig};
pub use run::{approval_hint, run};
pub use verdict::{GateFinding, GateVerdict, PolicyGate};
