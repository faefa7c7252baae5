//! Shadow policies: a second set that is evaluated without effect. Differences are counted, logged and recorded
//! with the decision.

use std::borrow::Cow;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use cedar_policy::Entities;
use parking_lot::Mutex;

use super::direction::Direction;
use super::log_entry::{BuiltInDecision, Decided, EvaluationInput, LogEntry};
use super::metric_counts::MetricCounts;
use charter_authz::decision::Decision;
use charter_authz::json::is_action;
use charter_authz::snapshot::Snapshot;

#[derive(Debug, Default)]
pub struct ShadowPolicies {
    snapshot: ArcSwapOption<Snapshot>,
    remembered: Mutex<ShadowState>,
}

#[derive(Debug, Default)]
struct ShadowState {
    /// The second of the last logged difference, and the number of differences not logged since.
    logged: (i64, u64),
}

impl ShadowPolicies {
    #[must_use]
    pub fn new(snapshot: Option<Snapshot>) -> Self {
        let shadow = Self::default();
        shadow.replace(snapshot);
        shadow
    }

    pub fn replace(&self, snapshot: Option<Snapshot>) {
        self.snapshot.store(snapshot.map(Arc::new));
    }

    #[must_use]
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// The decision of the shadow policies, if it differs; domains of one's own have none. `principal` is the masked
    /// principal for the service's log.
    pub(super) fn compare(
        &self,
        entry: &LogEntry,
        counts: &mut MetricCounts,
        principal: impl FnOnce(&BuiltInDecision) -> String,
    ) -> Option<Decision> {
        let Decided::BuiltIn(built_in) = &entry.decided else {
            return None;
        };
        let snapshot = self.snapshot.load();
        let snapshot = snapshot.as_ref()?;
        let EvaluationInput::Evaluated(asked) = &built_in.subject else {
            return None;
        };
        let entities = match &asked.entities {
            Some(entities) => Cow::Borrowed(entities),
            None => Cow::Owned(Entities::clone(&*built_in.principal.entities(snapshot)?)),
        };
        let things = entities.iter().filter(|it| !is_action(&it.uid())).cloned();
        let entities = snapshot.with_actions(things).ok()?;
        let permission = built_in.decision.permission;
        let decision = snapshot.decide_request(permission, &asked.request, &entities);
        counts.compared();
        let direction = Direction::between(built_in.decision.outcome, decision.outcome)?;
        counts.difference(permission, direction);
        self.log(entry, &decision, direction, || principal(built_in));
        Some(decision)
    }

    /// Logs one line per second.
    fn log(
        &self,
        entry: &LogEntry,
        other: &Decision,
        direction: Direction,
        principal: impl FnOnce() -> String,
    ) {
        let second = entry.at.timestamp();
        let mut remembered = self.remembered.lock();
        if remembered.logged.0 == second {
            remembered.logged.1 += 1;
            return;
        }
        let unlogged = std::mem::take(&mut remembered.logged.1);
        remembered.logged.0 = second;
        drop(remembered);
        tracing::warn!(
            decision_id = %entry.id,
            permission = %other.permission,
            principal = principal(),
            direction = direction.as_str(),
            determining = ?other.determining,
            shadow = %other.policy_digest,
            unlogged,
            "the shadow policies decide differently"
        );
    }
}
