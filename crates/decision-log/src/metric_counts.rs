//! Counts decisions in batches, because looking up a metric costs more than counting.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::direction::Direction;
use super::log_entry::{Decided, LogEntry};
use charter_domain::permission::Permission;

/// Counts since the last publication.
#[derive(Default)]
pub(super) struct MetricCounts {
    decisions: BTreeMap<(Permission, bool), u64>,
    /// Of domains of one's own.
    of_domains: BTreeMap<(Arc<str>, bool), u64>,
    compared: u64,
    unwritten: u64,
    differences: BTreeMap<(Permission, Direction), u64>,
    differences_of_domains: BTreeMap<(Arc<str>, Direction), u64>,
}

impl MetricCounts {
    pub(super) fn decision(&mut self, entry: &LogEntry) {
        let allowed = entry.answer().is_allowed();
        let count = match &entry.decided {
            Decided::BuiltIn(built_in) => {
                let permission = built_in.decision.permission;
                self.decisions.entry((permission, allowed)).or_default()
            }
            Decided::Domain(decision) => {
                let domain = Arc::clone(&decision.domain);
                self.of_domains.entry((domain, allowed)).or_default()
            }
        };
        *count += 1;
    }

    /// Counts an allowed decision that is not written.
    pub(super) fn unwritten(&mut self) {
        self.unwritten += 1;
    }

    /// Counts a decision that the shadow policies made as well.
    pub(super) fn compared(&mut self) {
        self.compared += 1;
    }

    pub(super) fn difference(&mut self, decided: &Decided, direction: Direction) {
        let count = match decided {
            Decided::BuiltIn(built_in) => {
                let key = (built_in.decision.permission, direction);
                self.differences.entry(key).or_default()
            }
            Decided::Domain(decision) => {
                let key = (Arc::clone(&decision.domain), direction);
                self.differences_of_domains.entry(key).or_default()
            }
        };
        *count += 1;
    }

    /// Adds the counts to the metrics.
    pub(super) fn publish(&mut self) {
        for ((permission, allowed), count) in std::mem::take(&mut self.decisions) {
            let (permission, decision) = (permission.as_str(), answer(allowed));
            metrics::counter!("charter_authz_decisions_total", "permission" => permission, "decision" => decision).increment(count);
        }
        for ((domain, allowed), count) in std::mem::take(&mut self.of_domains) {
            let (domain, decision) = (domain.to_string(), answer(allowed));
            metrics::counter!("charter_domain_decisions_total", "domain" => domain, "decision" => decision).increment(count);
        }
        if self.compared > 0 {
            metrics::counter!("charter_shadow_decisions_total")
                .increment(std::mem::take(&mut self.compared));
        }
        if self.unwritten > 0 {
            metrics::counter!("charter_decision_log_counted_total")
                .increment(std::mem::take(&mut self.unwritten));
        }
        for ((permission, direction), count) in std::mem::take(&mut self.differences) {
            let (permission, direction) = (permission.as_str(), direction.as_str());
            metrics::counter!("charter_shadow_differences_total", "permission" => permission, "direction" => direction).increment(count);
        }
        for ((domain, direction), count) in std::mem::take(&mut self.differences_of_domains) {
            let (domain, direction) = (domain.to_string(), direction.as_str());
            metrics::counter!("charter_domain_shadow_differences_total", "domain" => domain, "direction" => direction).increment(count);
        }
    }
}

const fn answer(allowed: bool) -> &'static str {
    if allowed { "allow" } else { "deny" }
}
