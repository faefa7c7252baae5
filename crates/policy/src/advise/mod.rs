//! `charter policy advise`: finds grants that the decision log never saw used, and a narrower version that would have
//! allowed every allowed decision.
//!
//! The log shows what was used, the solver proves that nothing more is allowed, and a replay shows that nothing is
//! missing.

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
pub use report::{Advice, AdviceVerdict, JudgedLogEnd, PolicyUse, UseCount};
pub use subject::{HeldGrants, Subject};
