//! `JUnit` XML, for CI systems.

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::report::TestReport;
use charter_authz::fault::LoadError;

/// A folder with faults is one test that could not run.
pub(super) fn of_faults(error: &LoadError) -> Result<String, SerializeError> {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message("the folder has faults");
    status.set_description(error.report());
    let mut suite = TestSuite::new("policies");
    suite.add_test_case(TestCase::new("the folder can be used", status));
    let mut junit = Report::new("charter policy test");
    junit.add_test_suite(suite);
    junit.to_string()
}

fn report(report: &TestReport) -> Result<String, SerializeError> {
    let mut junit = Report::new("charter policy test");
    for file in &report.files {
        let mut suite = TestSuite::new(format!("tests/{}", file.file));
        for case in &file.cases {
            let status = match &case.failure {
                None => TestCaseStatus::success(),
                Some(failure) => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status.set_message(failure.as_str());
                    status.set_description(format!("tests/{}:{}: {failure}", file.file, case.line));
                    status
                }
            };
            let mut test = TestCase::new(case.name.as_str(), status);
            test.set_classname(format!("tests/{}", file.file));
            suite.add_test_case(test);
        }
        junit.add_test_suite(suite);
    }
    junit.to_string()
}

impl TestReport {
    /// The report as `JUnit` XML.
    ///
    /// # Errors
    ///
    /// The report cannot be written as XML.
    pub fn junit(&self) -> Result<String, SerializeError> {
        report(self)
    }
}
