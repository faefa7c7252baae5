//! Coverage of policies: by the examples, and by the decisions of the last days.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use crate::replay::log_reader::LogReader;
use crate::test::TestReport;
use charter_authz::snapshot::Snapshot;
use charter_decision_log::files_since;
use charter_domain::progress::Progress;
use charter_domain::timestamp::{self, Timestamp};

/// Coverage by the log.
pub(super) struct Decided {
    since: i64,
    /// The start of the part that was read: later than `since` if the time was up.
    read_from: i64,
    policies: BTreeMap<String, Uses>,
}

/// The decisions that a policy determined.
#[derive(Debug, Clone, Copy, Default)]
struct Uses {
    allowed: u64,
    denied: u64,
    /// Unix time in milliseconds of the latest one with a line.
    last: i64,
}

/// Reads a domain's decisions from the log's end back to `since`, or until `is_late`.
pub(super) fn decided(
    log: &Path,
    domain: Option<&str>,
    since: i64,
    is_late: &dyn Fn() -> bool,
    progress: &Progress,
) -> io::Result<Decided> {
    let mut decided = Decided {
        since,
        read_from: i64::MAX,
        policies: BTreeMap::new(),
    };
    for (file, begun) in files_since(log, since)?.into_iter().rev() {
        if is_late() {
            return Ok(decided);
        }
        match decided.read(&file, domain, progress) {
            // It was removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            read => read?,
        }
        decided.read_from = begun;
    }
    decided.read_from = since;
    Ok(decided)
}

impl Decided {
    fn read(&mut self, file: &Path, domain: Option<&str>, progress: &Progress) -> io::Result<()> {
        let mut reader = LogReader::open(file, progress)?;
        while let Some(chunk) = reader.next()? {
            let definitions = chunk.definitions.read();
            for line in chunk.text.split_inclusive(|byte| *byte == b'\n') {
                // `verify-log` reports unreadable lines.
                let Ok(Some(by)) = definitions.determined_by(line) else {
                    continue;
                };
                // The policies of another domain may have the same ids.
                if by.at < self.since || by.domain != domain {
                    continue;
                }
                for policy in by.policies {
                    let uses = match self.policies.get_mut(policy) {
                        Some(uses) => uses,
                        None => self.policies.entry(policy.clone()).or_default(),
                    };
                    let count = if by.is_allowed {
                        &mut uses.allowed
                    } else {
                        &mut uses.denied
                    };
                    *count += by.count;
                    uses.last = uses.last.max(by.at);
                }
            }
        }
        Ok(())
    }
}

/// Coverage by examples and by decisions.
pub(super) fn document(
    snapshot: &Snapshot,
    report: &TestReport,
    decided: Option<&Decided>,
) -> Value {
    let coverage = &report.coverage;
    let examples = json!({
        "total": report.total(),
        "failures": report.failures(),
        "percent": coverage.percent(),
        "policies": coverage.policies,
    });
    let decided = decided.map(|decided| {
        let never = coverage.policies.iter().map(|policy| &policy.policy);
        let never: Vec<&String> = never
            .filter(|policy| !decided.policies.contains_key(*policy))
            .collect();
        let uses = decided.policies.iter().map(|(policy, uses)| {
            let uses = json!({
                "allowed": uses.allowed,
                "denied": uses.denied,
                "last": time(uses.last),
            });
            (policy.clone(), uses)
        });
        json!({
            "since": time(decided.since),
            "read_from": time(decided.read_from),
            "is_complete": decided.read_from <= decided.since,
            "policies": uses.collect::<serde_json::Map<_, _>>(),
            "never": never,
        })
    });
    json!({
        "digest": snapshot.digest().to_string(),
        "examples": examples,
        "decided": decided,
    })
}

fn time(millis: i64) -> Option<String> {
    Timestamp::from_timestamp_millis(millis).map(timestamp::format)
}
