//! Results of the gates.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A check of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyGate {
    /// The folder can be read, matches its manifest and is newer than what is in force.
    Folder,
    /// It parses, is valid and uses the names of the service.
    Validation,
    /// Its examples give the expected answers.
    Tests,
    /// The invariants hold, no policy can fail, and each can match.
    Proofs,
    /// It allows nothing new, or was approved.
    Widening,
}

impl PolicyGate {
    /// In the order in which they run.
    pub const ALL: [Self; 5] = [
        Self::Folder,
        Self::Validation,
        Self::Tests,
        Self::Proofs,
        Self::Widening,
    ];

    /// The name in settings and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Validation => "validation",
            Self::Tests => "tests",
            Self::Proofs => "proofs",
            Self::Widening => "widening",
        }
    }
}

impl std::fmt::Display for PolicyGate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The result of all gates.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct GateVerdict {
    /// Why the candidate is refused.
    pub refusals: Vec<GateFinding>,
    /// Findings that do not refuse it.
    pub warnings: Vec<GateFinding>,
    /// Gates that could not run on this machine, with the reason.
    pub not_run: BTreeMap<PolicyGate, String>,
    /// How long each gate ran, in milliseconds.
    #[serde(default)]
    pub took_millis: BTreeMap<PolicyGate, u64>,
    /// Whether the invariants were proved in this run.
    pub proved: bool,
    /// Whether it is an emergency stop that did not pass every gate.
    #[serde(default)]
    pub is_stop: bool,
    /// Whether the check was cut short, so that another try may end differently.
    #[serde(default)]
    pub unfinished: bool,
}

/// A finding of a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateFinding {
    /// The gate.
    pub gate: PolicyGate,
    /// The report, as plain text.
    pub report: String,
    /// The report as data, where the gate has it and it is not too large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

impl GateFinding {
    fn new(gate: PolicyGate, report: String) -> Self {
        Self {
            gate,
            report: shortened(report),
            details: None,
        }
    }

    /// The report, prefixed with the gate's name unless the report shows the gate itself.
    #[must_use]
    pub fn text(&self) -> String {
        let report = self.report.trim_end();
        match self.gate {
            PolicyGate::Folder | PolicyGate::Validation => report.to_owned(),
            gate if report.contains('\n') => format!("{gate}:\n{report}"),
            gate => format!("{gate}: {report}"),
        }
    }
}

/// Longer reports are truncated.
const MAX_REPORT_BYTES: usize = 200_000;
/// Larger details are left out; the report says the same.
const MAX_DETAILS_BYTES: usize = 400_000;

/// Truncates at the end of a line and says how many lines are missing.
fn shortened(report: String) -> String {
    let end = report.floor_char_boundary(MAX_REPORT_BYTES);
    let Some((shown, _)) = report
        .get(..end)
        .filter(|shown| shown.len() < report.len())
        .and_then(|shown| shown.rsplit_once('\n'))
    else {
        return report;
    };
    let more = report.lines().count() - shown.lines().count();
    format!("{shown}\n… and {more} more lines")
}

impl GateVerdict {
    /// A verdict with one refusal.
    #[must_use]
    pub fn refused(gate: PolicyGate, report: impl Into<String>) -> Self {
        let mut verdict = Self::default();
        verdict.refuse(gate, report);
        verdict
    }

    pub(super) fn refuse(&mut self, gate: PolicyGate, report: impl Into<String>) {
        self.refusals.push(GateFinding::new(gate, report.into()));
    }

    pub(super) fn warn(&mut self, gate: PolicyGate, report: impl Into<String>) {
        self.warnings.push(GateFinding::new(gate, report.into()));
    }

    /// Adds the report of this gate as data.
    pub(super) fn detail(&mut self, gate: PolicyGate, details: impl Serialize) {
        let Ok(details) = serde_json::to_value(details) else {
            return;
        };
        if details.to_string().len() > MAX_DETAILS_BYTES {
            return;
        }
        let findings = self.refusals.iter_mut().chain(&mut self.warnings);
        if let Some(finding) = findings.into_iter().find(|finding| finding.gate == gate) {
            finding.details = Some(details);
        }
    }

    /// All refusals as plain text; `None` if there is none.
    #[must_use]
    pub fn report(&self) -> Option<String> {
        let reports: Vec<String> = self.refusals.iter().map(GateFinding::text).collect();
        (!reports.is_empty()).then(|| reports.join("\n"))
    }
}
