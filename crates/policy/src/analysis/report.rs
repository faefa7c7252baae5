//! Proofs as text.

use std::fmt::Write;

use super::findings::{Claim, ProofFinding, ProofReport, ProofVerdict, RedundancyCause};
use crate::counted::counted;
use crate::counterexample::LocatedPolicy;

/// Of what does not hold; the rest is counted.
const MAX_SHOWN: usize = 100;

impl ProofReport {
    /// The findings with counterexamples, the redundant permits, and a summary line.
    #[must_use]
    pub fn report(&self) -> String {
        let mut report = String::new();
        for finding in self.findings.iter().take(MAX_SHOWN) {
            report.push_str(&finding.text());
            report.push('\n');
        }
        let rest = self.findings.len().saturating_sub(MAX_SHOWN);
        if rest > 0 {
            // Writing to a string cannot fail.
            let _ = writeln!(
                report,
                "and {} more\n",
                counted(rest, "finding", "findings")
            );
        }
        for shadow in &self.shadows {
            let policy = &shadow.policy;
            // Writing to a string cannot fail.
            let _ = match &shadow.by {
                RedundancyCause::Forbids => {
                    writeln!(
                        report,
                        "{policy} makes no difference: forbids deny all of it"
                    )
                }
                RedundancyCause::Permits(by) => {
                    let by = list(by);
                    writeln!(
                        report,
                        "{policy} makes no difference: {by} allows all of it"
                    )
                }
            };
        }
        report.push_str(&self.summary());
        report
    }

    /// One line.
    #[must_use]
    pub fn summary(&self) -> String {
        let verdict = match self.findings.len() {
            0 if self.from_cache => "proved earlier".to_owned(),
            0 => "proved".to_owned(),
            many => format!("not proved: {}", counted(many, "finding", "findings")),
        };
        format!(
            "{verdict}, {}, {}, {}, cvc5 {}\n",
            counted(self.policies, "policy", "policies"),
            counted(self.invariants.len(), "invariant", "invariants"),
            counted(self.request_types, "kind of request", "kinds of request"),
            self.solver
        )
    }
}

impl ProofFinding {
    /// Several lines.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = match (&self.claim, &self.verdict) {
            (Claim::Invariant { name, .. }, ProofVerdict::Refuted { .. }) => {
                format!("broken: invariant `{name}`")
            }
            (Claim::NeverErrors { policy }, ProofVerdict::Refuted { .. }) => {
                format!("may fail: {policy}, and a policy that fails does not count")
            }
            (Claim::CanMatch { policy, forbid }, ProofVerdict::Never) => {
                let does = if *forbid { "forbids" } else { "permits" };
                format!("dead: {policy} {does} nothing, no request matches it")
            }
            (claim, _) => format!("not proved: {}", claim.text()),
        };
        if let Claim::Invariant { at_start: true, .. } = self.claim {
            text.push_str(" as it was in force before");
        }
        if let Some(request_type) = &self.request_type {
            let _ = write!(text, "\n  when a {request_type}");
        }
        if self.and_more > 0 {
            let _ = write!(
                text,
                ", and perhaps for {} more kinds of request",
                self.and_more
            );
        }
        text.push('\n');
        match &self.verdict {
            ProofVerdict::Refuted { counterexample, by } => {
                text.push_str(&counterexample.text());
                if let Claim::Invariant { name, .. } = &self.claim {
                    let by = list(by);
                    let _ = writeln!(text, "  is allowed by {by}");
                    let _ = writeln!(text, "  but not by invariants/{name}.cedar");
                }
            }
            ProofVerdict::NotProved { reason } => {
                let _ = writeln!(text, "  {reason}");
            }
            ProofVerdict::Never => {}
        }
        text
    }
}

impl Claim {
    fn text(&self) -> String {
        match self {
            Self::Invariant { name, .. } => format!("invariant `{name}`"),
            Self::NeverErrors { policy } => format!("that {policy} never fails"),
            Self::CanMatch { policy, .. } => format!("that {policy} can match"),
            Self::Everything => "anything".to_owned(),
        }
    }
}

fn list(names: &[LocatedPolicy]) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    names.join(", ")
}
