//! What came out of the examples, for people.

use std::fmt::Write;

use serde::Serialize;

use super::coverage::{ConditionCoverage, Coverage, Shown};

/// What came out of all examples.
#[derive(Debug, Clone, Serialize)]
pub struct TestReport {
    /// Each file of examples.
    pub files: Vec<FileReport>,
    /// What they show at work.
    pub coverage: Coverage,
}

/// What came out of a file's examples.
#[derive(Debug, Clone, Serialize)]
pub struct FileReport {
    /// Its name within `tests/`.
    pub file: String,
    /// Its examples, in order.
    pub cases: Vec<CaseReport>,
}

/// What came out of an example.
#[derive(Debug, Clone, Serialize)]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// The line that it begins on.
    pub line: usize,
    /// What is wrong, if something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl TestReport {
    /// How many examples there are.
    #[must_use]
    pub fn total(&self) -> usize {
        self.cases().count()
    }

    /// How many do not hold.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.cases().filter(|case| case.failure.is_some()).count()
    }

    /// Whether every example holds and so much is covered. Without examples nothing is.
    #[must_use]
    pub fn holds(&self, min_coverage: u8) -> bool {
        self.failed() == 0 && self.coverage.reaches(min_coverage)
    }

    /// One line for each example that does not hold.
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

    /// The whole report: files, failures, what no example shows, and the sums.
    #[must_use]
    pub fn text(&self, min_coverage: u8) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text, min_coverage);
        text
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
            "{} examples, {} failed; coverage {} %: {} of {} policies decided, {} of {} outcomes of conditions seen",
            self.total(),
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
                for never in nevers(condition) {
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

/// What no example shows of a condition.
fn nevers(condition: &ConditionCoverage) -> Vec<String> {
    let mut outcomes = condition.outcomes();
    if !condition.is_element && outcomes.all(|(_, shown)| shown == Shown::Never) {
        return vec!["never reached".to_owned()];
    }
    condition
        .outcomes()
        .filter_map(|(value, shown)| match shown {
            Shown::Never => Some(format!("never {value}")),
            Shown::WithoutEffect => Some(format!("never {value} where it decides")),
            Shown::Decides => None,
        })
        .collect()
}
