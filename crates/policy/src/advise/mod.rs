//! `charter policy advise`: what was granted and never used, by the decision log, and a narrower version that would
//! have allowed all that was allowed.
//!
//! The log says what was used, the solver that nothing more is allowed, a replay that nothing less was needed.

mod advice;
mod edit;
mod grants;
mod log_pass;
mod narrow;
mod needed_grants;
mod policy_json;
mod report;
mod subject;
mod uses;

pub use advice::{AdviceRequest, advise};
pub use log_pass::{LogPeriod, RefusedAdvice};
pub use report::{Advice, JudgedLogEnd, PolicyUse, UseCount, Verdict};
pub use subject::{HeldGrants, Subject};
