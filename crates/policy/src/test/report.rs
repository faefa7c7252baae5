//! Results of the examples, as text.

use std::fmt::Write;

use serde::Serialize;

use crate::counted::counted;

use super::coverage::{ConditionCoverage, Coverage, OutcomeCoverage};

/// Results of all examples.
#[derive(Debug, Clone, Serialize)]
pub struct TestReport {
    /// The files of examples.
    pub files: Vec<FileReport>,
    /// Coverage of the examples.
    pub coverage: Coverage,
}

/// Results of one file.
#[derive(Debug, Clone, Serialize)]
pub struct FileReport {
    /// Name within `tests/`.
    pub file: String,
    /// Its examples, in order.
    pub cases: Vec<CaseReport>,
}

/// Result of an example.
#[derive(Debug, Clone, Serialize)]
pub struct CaseReport {
    /// Name of the example.
    pub name: String,
    /// The line on which it begins.
    pub line: usize,
    /// What failed, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl TestReport {
    /// Number of examples.
    #[must_use]
    pub fn total(&self) -> usize {
        self.cases().count()
    }

    /// Number of failed examples.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.cases().filter(|case| case.failure.is_some()).count()
    }

    /// Whether every example passes and the coverage suffices. Without examples nothing is covered.
    #[must_use]
    pub fn holds(&self, min_coverage: u8) -> bool {
        self.failed() == 0 && self.coverage.reaches(min_coverage)
    }

    /// One line for each failed example.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for file in &self.files {
            for case in &file.cases {
                if let Some(failure) = &case.failure {
                    failures.push(format!(
                        "tests/{}:{}: {}: {failure}",
                        file.file, case.line, case.name
                    ));
                }
            }
        }
        failures
    }

    /// The whole report: files, failures, missing coverage and totals.
    #[must_use]
    pub fn text(&self, min_coverage: u8) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text, min_coverage);
        text
    }

    /// Failed examples and missing coverage, as data.
    #[must_use]
    pub fn shortcomings(&self) -> serde_json::Value {
        let failures = self.files.iter().flat_map(|file| {
            let failed = file.cases.iter().filter(|case| case.failure.is_some());
            failed.map(|case| {
                serde_json::json!({
                    "file": format!("tests/{}", file.file),
                    "line": case.line,
                    "name": case.name,
                    "failure": case.failure,
                })
            })
        });
        let policies = self.coverage.policies.iter();
        let undecided = policies.filter(|policy| !policy.decided);
        serde_json::json!({
            "examples": self.total(),
            "failures": failures.collect::<Vec<_>>(),
            "coverage_percent": self.coverage.percent(),
            "never_decided": undecided
                .map(|it| serde_json::json!({"policy": it.policy, "file": it.file, "line": it.line}))
                .collect::<Vec<_>>(),
        })
    }

    fn cases(&self) -> impl Iterator<Item = &CaseReport> {
        self.files.iter().flat_map(|file| &file.cases)
    }

    fn write(&self, out: &mut String, min_coverage: u8) -> std::fmt::Result {
        if self.total() == 0 {
            writeln!(
                out,
                "there are no examples: write some into `tests/*.json` of the policy folder"
            )?;
        }
        for file in &self.files {
            let failed = file.cases.iter().filter(|case| case.failure.is_some());
            let failed = failed.count();
            let passed = file.cases.len() - failed;
            write!(out, "tests/{}: {passed} passed", file.file)?;
            if failed > 0 {
                write!(out, ", {failed} failed")?;
            }
            writeln!(out)?;
        }
        for failure in self.failures() {
            writeln!(out, "FAILED {failure}")?;
        }
        self.write_gaps(out)?;
        let coverage = &self.coverage;
        writeln!(
            out,
            "{}, {} failed; coverage {} %: {} of {} policies decided, {} of {} outcomes of conditions seen",
            counted(self.total(), "example", "examples"),
            self.failed(),
            coverage.percent(),
            coverage.policies_decided(),
            coverage.policies.len(),
            coverage.outcomes_seen(),
            coverage.outcomes(),
        )?;
        if !coverage.reaches(min_coverage) {
            writeln!(out, "FAILED {min_coverage} % must be covered")?;
        }
        Ok(())
    }

    fn write_gaps(&self, out: &mut String) -> std::fmt::Result {
        for policy in &self.coverage.policies {
            let place = format!("{}:{}", policy.file, policy.line);
            if !policy.decided {
                writeln!(out, "never decided: `{}` ({place})", policy.policy)?;
            }
            for condition in &policy.conditions {
                let line = condition.line.unwrap_or(policy.line);
                for never in missing_outcomes(condition) {
                    writeln!(
                        out,
                        "{never}: `{}` of `{}` ({}:{line})",
                        condition.text, policy.policy, policy.file
                    )?;
                }
            }
        }
        Ok(())
    }
}

/// The outcomes of a condition that no example covers.
fn missing_outcomes(condition: &ConditionCoverage) -> Vec<String> {
    let mut outcomes = condition.outcomes();
    if !condition.is_element && outcomes.all(|(_, shown)| shown == OutcomeCoverage::Never) {
        return vec!["never reached".to_owned()];
    }
    condition
        .outcomes()
        .filter_map(|(value, shown)| match shown {
            OutcomeCoverage::Never => Some(format!("never {value}")),
            OutcomeCoverage::WithoutEffect => Some(format!("never {value} where it decides")),
            OutcomeCoverage::Decides => None,
        })
        .collect()
}
