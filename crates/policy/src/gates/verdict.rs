//! What the gates found of a candidate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A check that a candidate passes or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// The folder can be read, is whole, and newer than what is in force.
    Folder,
    /// It parses, is valid, and speaks of the things that the service has.
    Validation,
    /// Its examples give the expected answers.
    Tests,
    /// The invariants hold, no policy fails, and none is dead.
    Proofs,
    /// It allows nothing more than before, or somebody approved it.
    Widening,
}

impl Gate {
    /// Its name in settings and reports.
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

impl std::fmt::Display for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// What keeps the candidate from being used.
    pub refusals: Vec<Finding>,
    /// What should be looked at.
    pub warnings: Vec<Finding>,
    /// Gates that this machine could not run, and why.
    pub not_run: BTreeMap<Gate, String>,
    /// Whether the invariants were proved now.
    pub proved: bool,
    /// Whether it is an emergency stop that did not pass every gate.
    #[serde(default)]
    pub is_stop: bool,
    /// Whether the check did not come to its end, so that another try may end otherwise.
    #[serde(default)]
    pub unfinished: bool,
}

/// Something found at a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The gate.
    pub gate: Gate,
    /// The whole report, in plain text.
    pub report: String,
}

impl Finding {
    /// The report, after the gate's name where the report does not show by itself what it is.
    #[must_use]
    pub fn text(&self) -> String {
        let report = self.report.trim_end();
        match self.gate {
            Gate::Folder | Gate::Validation => report.to_owned(),
            gate if report.contains('\n') => format!("{gate}:\n{report}"),
            gate => format!("{gate}: {report}"),
        }
    }
}

/// A report is for reading, and must get through to whoever waits for it.
const MAX_REPORT_BYTES: usize = 200_000;

/// The beginning, up to the end of a line, and how much is missing.
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

impl Verdict {
    /// A verdict with one refusal.
    #[must_use]
    pub fn refused(gate: Gate, report: impl Into<String>) -> Self {
        let mut verdict = Self::default();
        verdict.refuse(gate, report);
        verdict
    }

    pub(super) fn refuse(&mut self, gate: Gate, report: impl Into<String>) {
        let report = shortened(report.into());
        self.refusals.push(Finding { gate, report });
    }

    pub(super) fn warn(&mut self, gate: Gate, report: impl Into<String>) {
        let report = shortened(report.into());
        self.warnings.push(Finding { gate, report });
    }

    /// Every refusal, in plain text; `None` if there is none.
    #[must_use]
    pub fn report(&self) -> Option<String> {
        let reports: Vec<String> = self.refusals.iter().map(Finding::text).collect();
        (!reports.is_empty()).then(|| reports.join("\n"))
    }
}
