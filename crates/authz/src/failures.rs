//! Remembers which policies failed to evaluate recently, for readiness: such a permit has no
//! effect, and such a forbid denies.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::decision::EvaluationError;
use charter_domain::timestamp::Timestamp;

/// How many policies are remembered; the most recent failures are kept.
const MOST: usize = 20;
/// How long a failure is reported after it last occurred.
const KEPT_MINUTES: i64 = 15;

/// A policy that failed to evaluate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationFailure {
    /// Its `@id`.
    pub policy: String,
    /// The latest message.
    pub message: String,
    /// Number of failures since the policies are in force, or since it was last forgotten.
    pub count: u64,
    /// Time of the latest failure.
    pub last: Timestamp,
}

/// The failures of one policy set.
#[derive(Debug, Default)]
pub(super) struct RecentFailures(Mutex<BTreeMap<String, EvaluationFailure>>);

impl RecentFailures {
    /// Records failures and returns the policies that had none recently.
    pub(super) fn note(&self, errors: &[EvaluationError], now: Timestamp) -> Vec<String> {
        if errors.is_empty() {
            return Vec::new();
        }
        let mut known = self.0.lock();
        known.retain(|_, failure| is_recent(failure, now));
        let mut news = Vec::new();
        for EvaluationError { policy, message } in errors {
            let failure = known.entry(policy.clone()).or_insert_with(|| {
                news.push(policy.clone());
                EvaluationFailure {
                    policy: policy.clone(),
                    message: String::new(),
                    count: 0,
                    last: now,
                }
            });
            failure.message.clone_from(message);
            failure.count += 1;
            failure.last = now;
        }
        while known.len() > MOST {
            let oldest = known.values().min_by_key(|failure| failure.last);
            let Some(oldest) = oldest.map(|failure| failure.policy.clone()) else {
                break;
            };
            known.remove(&oldest);
        }
        news
    }

    /// The recent failures, by policy.
    pub(super) fn recent(&self, now: Timestamp) -> Vec<EvaluationFailure> {
        let mut known = self.0.lock();
        known.retain(|_, failure| is_recent(failure, now));
        known.values().cloned().collect()
    }
}

/// The absolute difference, so that a clock that was set back keeps nothing for ever.
fn is_recent(failure: &EvaluationFailure, now: Timestamp) -> bool {
    (now - failure.last).num_minutes().abs() < KEPT_MINUTES
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn failed(policy: &str) -> EvaluationError {
        EvaluationError {
            policy: policy.to_owned(),
            message: "recursion limit reached".to_owned(),
        }
    }

    #[test]
    fn a_failure_is_news_once_and_ages_out() {
        let failures = RecentFailures::default();
        let at = |minutes| Timestamp::UNIX_EPOCH + Duration::from_mins(minutes);
        assert_eq!(failures.note(&[failed("a")], at(0)), ["a"]);
        assert!(failures.note(&[failed("a")], at(10)).is_empty());
        let recent = failures.recent(at(24));
        assert_eq!((recent.len(), recent[0].count), (1, 2));
        assert!(failures.recent(at(25)).is_empty());
        assert_eq!(failures.note(&[failed("a")], at(27)), ["a"]);
    }

    #[test]
    fn only_so_many_are_kept_and_the_latest_are() {
        let failures = RecentFailures::default();
        for number in 0..100 {
            let at = Timestamp::UNIX_EPOCH + Duration::from_secs(number);
            failures.note(&[failed(&format!("p{number:03}"))], at);
        }
        let recent = failures.recent(Timestamp::UNIX_EPOCH + Duration::from_secs(100));
        assert_eq!(recent.len(), MOST);
        assert_eq!(recent[0].policy, "p080");
    }
}
