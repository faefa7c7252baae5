//! Counts the decisions of a file, each of a domain's own by its case.

use std::collections::HashMap;

use super::findings::VerificationReport;
use super::record::{LineHeader, LineKind};

/// The cases of one file that are of domains of one's own.
#[derive(Default)]
pub(super) struct DomainCases(HashMap<u32, String>);

impl DomainCases {
    pub(super) fn count(&mut self, line: &LineHeader, report: &mut VerificationReport) {
        match line.kind {
            LineKind::Decision => {
                report.decisions += 1;
                report.counted += line.rest.unwrap_or(0);
                if let Some(domain) = line.case.and_then(|case| self.0.get(&case)) {
                    *report.of_domains.entry(domain.clone()).or_default() += 1;
                }
            }
            LineKind::Rest => report.counted += line.count.unwrap_or(0),
            LineKind::Case => {
                if let (Some(number), Some(domain)) = (line.number, &line.domain) {
                    self.0.insert(number, domain.clone());
                }
            }
            LineKind::File | LineKind::Entity | LineKind::Context | LineKind::Gap => {}
        }
    }
}
