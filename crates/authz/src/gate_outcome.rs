//! What the gates found in a folder, for operators who ask.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

/// How one gate ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateOutcome {
    pub gate: &'static str,
    pub result: GateResult,
    /// `None` if it did not run.
    pub took: Option<Duration>,
    /// Plain text; `None` if there is nothing to say.
    pub report: Option<String>,
    /// The report as data, where the gate has it.
    pub findings: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GateResult {
    Passed,
    /// It found something that does not refuse the folder.
    Warned,
    Refused,
    /// It could not run on this machine, or an earlier gate refused the folder.
    NotRun,
    /// The settings or the kind of the edit do not ask for it.
    Off,
}
