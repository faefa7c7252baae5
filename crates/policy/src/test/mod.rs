//! `charter policy test`: runs a folder's examples and measures their coverage.

mod coverage;
mod example;
mod junit;
mod report;

use cedar_policy::{Policy, PolicyId};

use charter_authz::fault::LoadError;
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::progress::Progress;

use self::coverage::CoverageTracker;
use self::example::{Example, ExpectedDecision};
use super::counted::counted;
use super::policies_by_action::PoliciesByAction;
use super::snapshot_decision::{Ruling, SnapshotDecision};

pub use self::coverage::{ConditionCoverage, Coverage, OutcomeCoverage, PolicyCoverage};
pub use self::report::{CaseReport, FileReport, TestReport};

/// `JUnit` XML for a folder with faults: one test that could not run.
///
/// # Errors
///
/// As [`TestReport::junit`].
pub fn junit_of_faults(error: &LoadError) -> Result<String, quick_junit::SerializeError> {
    junit::of_faults(error)
}

/// Runs every example of a folder on its snapshot.
///
/// # Errors
///
/// A file of examples does not have the format, with file, line and caret. Failed examples are in
/// the report.
pub fn run(folder: &Folder, snapshot: &Snapshot) -> Result<TestReport, LoadError> {
    run_with_progress(folder, snapshot, &Progress::default())
}

/// The same; each example is a step.
///
/// # Errors
///
/// As [`run`].
pub fn run_with_progress(
    folder: &Folder,
    snapshot: &Snapshot,
    progress: &Progress,
) -> Result<TestReport, LoadError> {
    let tests = example::read(folder.tests()).map_err(LoadError::new)?;
    let examples: usize = tests.files.iter().map(|file| file.cases.len()).sum();
    progress.expect(examples as u64);
    let policies: Vec<&Policy> = snapshot.policies().policies().collect();
    let by_action = PoliciesByAction::of(policies.iter().copied());
    let mut tracker = CoverageTracker::of(policies);
    let files = tests
        .files
        .iter()
        .map(|file| FileReport {
            file: file.name.clone(),
            cases: file
                .cases
                .iter()
                .map(|example| {
                    let failure = run_case(example, &tests, snapshot, &by_action, &mut tracker);
                    progress.advance(1);
                    CaseReport {
                        name: example.name.clone(),
                        line: example.line,
                        failure,
                    }
                })
                .collect(),
        })
        .collect();
    Ok(TestReport {
        files,
        coverage: tracker.finish(snapshot),
    })
}

/// What failed, if anything.
fn run_case(
    example: &Example<'_>,
    tests: &example::Examples<'_>,
    snapshot: &Snapshot,
    by_action: &PoliciesByAction<'_>,
    tracker: &mut CoverageTracker,
) -> Option<String> {
    let (request, entities) = match example.to_cedar(snapshot.schema(), &tests.entity_files) {
        Ok(inputs) => inputs,
        Err(reason) => return Some(reason),
    };
    let candidates = by_action.matching(&request, &entities);
    let decision = SnapshotDecision::of(snapshot, &request, &entities);
    tracker.record(&candidates, &request, &entities, &decision);
    compare(example, &decision, snapshot)
}

/// The rules of the Cedar CLI: the decision matches, the named policies are among the determining
/// ones, and the number of failed policies matches.
fn compare(
    example: &Example<'_>,
    decision: &SnapshotDecision,
    snapshot: &Snapshot,
) -> Option<String> {
    let mut failures = Vec::new();
    let actual = match decision.ruling {
        Ruling::Allowed => ExpectedDecision::Allow,
        Ruling::Forbidden | Ruling::NotPermitted => ExpectedDecision::Deny,
    };
    if actual != example.decision {
        let by = match decision.determining.as_slice() {
            [] => "no policy permits it".to_owned(),
            ids => format!("by {}", listed(ids.iter(), snapshot)),
        };
        failures.push(format!("expected {}, got {actual}: {by}", example.decision));
    }
    let mut missing = example
        .reason
        .iter()
        .filter(|id| !decision.determining.contains(id))
        .peekable();
    if actual == example.decision && missing.peek().is_some() {
        let decided = match decision.determining.as_slice() {
            [] => "no policy".to_owned(),
            ids => listed(ids.iter(), snapshot),
        };
        failures.push(format!(
            "{} did not decide, {decided} did",
            listed(missing, snapshot)
        ));
    }
    if let Some(code) = &example.code
        && actual == example.decision
        && decision.code.as_ref() != Some(code)
    {
        let actual_code = decision.code.as_deref().unwrap_or("none");
        failures.push(format!("expected the code `{code}`, got `{actual_code}`"));
    }
    if decision.errors.len() != example.num_errors {
        failures.push(format!(
            "expected {} that cannot be evaluated, got {}",
            counted(example.num_errors, "policy", "policies"),
            decision.errors.len()
        ));
        let errors = decision.errors.iter();
        failures.extend(errors.map(|error| format!("`{}`: {}", error.policy, error.message)));
    }
    (!failures.is_empty()).then(|| failures.join("; "))
}

fn listed<'a>(ids: impl Iterator<Item = &'a String>, snapshot: &Snapshot) -> String {
    let named = ids.map(|id| match snapshot.location(id) {
        Some(place) => format!("`{id}` ({place})"),
        None if snapshot.policies().policy(&PolicyId::new(id)).is_none() => {
            format!("`{id}` (there is no such policy)")
        }
        None => format!("`{id}`"),
    });
    named.collect::<Vec<_>>().join(", ")
}
