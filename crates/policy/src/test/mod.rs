//! `charter policy test`: runs a folder's examples on its snapshot, and says which policies and
//! conditions none of them shows at work.

mod case;
mod coverage;
mod junit;
mod report;

use cedar_policy::{Policy, PolicyId};

use charter_authz::fault::LoadError;
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;

use self::case::{Case, Decision};
use self::coverage::Tracker;
use super::by_action::ByAction;
use super::verdict::{Ruling, Verdict};

pub use self::coverage::{ConditionCoverage, Coverage, PolicyCoverage, Shown};
pub use self::report::{CaseReport, FileReport, TestReport};

/// The same form for a folder that cannot be used: one test that could not be run.
///
/// # Errors
///
/// As [`TestReport::junit`].
pub fn junit_of_faults(error: &LoadError) -> Result<String, quick_junit::SerializeError> {
    junit::of_faults(error)
}

/// Runs every example of the folder on the snapshot that was made of it.
///
/// # Errors
///
/// Every file of examples that does not have their form, with file, line and caret. What an
/// example finds wrong is in the report.
pub fn run(folder: &Folder, snapshot: &Snapshot) -> Result<TestReport, LoadError> {
    let tests = case::read(folder.tests()).map_err(LoadError::new)?;
    let policies: Vec<&Policy> = snapshot.policies().policies().collect();
    let by_action = ByAction::of(policies.iter().copied());
    let mut tracker = Tracker::of(policies);
    let files = tests
        .files
        .iter()
        .map(|file| FileReport {
            file: file.name.clone(),
            cases: file
                .cases
                .iter()
                .map(|case| CaseReport {
                    name: case.name.clone(),
                    line: case.line,
                    failure: run_case(case, &tests, snapshot, &by_action, &mut tracker),
                })
                .collect(),
        })
        .collect();
    Ok(TestReport {
        files,
        coverage: tracker.finish(snapshot),
    })
}

/// What is wrong, if something is.
fn run_case(
    case: &Case<'_>,
    tests: &case::Tests<'_>,
    snapshot: &Snapshot,
    by_action: &ByAction<'_>,
    tracker: &mut Tracker,
) -> Option<String> {
    let (request, entities) = match case.to_cedar(snapshot.schema(), &tests.entity_files) {
        Ok(inputs) => inputs,
        Err(reason) => return Some(reason),
    };
    let candidates = by_action.taking(&request, &entities);
    let verdict = Verdict::of(snapshot, &request, &entities);
    tracker.see(&candidates, &request, &entities, &verdict);
    compare(case, &verdict, snapshot)
}

/// The Cedar CLI's rules: the decision is that one, the named policies are among those that
/// decided, and so many policies could not be evaluated.
fn compare(case: &Case<'_>, verdict: &Verdict, snapshot: &Snapshot) -> Option<String> {
    let mut failures = Vec::new();
    let actual = match verdict.ruling {
        Ruling::Allowed => Decision::Allow,
        Ruling::Forbidden | Ruling::NotPermitted => Decision::Deny,
    };
    if actual != case.decision {
        let by = match verdict.determining.as_slice() {
            [] => "no policy permits it".to_owned(),
            ids => format!("by {}", listed(ids.iter(), snapshot)),
        };
        failures.push(format!("expected {}, got {actual}: {by}", case.decision));
    }
    let mut missing = case
        .reason
        .iter()
        .filter(|id| !verdict.determining.contains(id))
        .peekable();
    if actual == case.decision && missing.peek().is_some() {
        let decided = match verdict.determining.as_slice() {
            [] => "no policy".to_owned(),
            ids => listed(ids.iter(), snapshot),
        };
        failures.push(format!(
            "{} did not decide, {decided} did",
            listed(missing, snapshot)
        ));
    }
    if let Some(code) = &case.code
        && actual == case.decision
        && verdict.code.as_ref() != Some(code)
    {
        let told = verdict.code.as_deref().unwrap_or("none");
        failures.push(format!("expected the code `{code}`, got `{told}`"));
    }
    if verdict.errors.len() != case.num_errors {
        failures.push(format!(
            "expected {} policies that cannot be evaluated, got {}",
            case.num_errors,
            verdict.errors.len()
        ));
        let told = verdict.errors.iter();
        failures.extend(told.map(|error| format!("`{}`: {}", error.policy, error.message)));
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
