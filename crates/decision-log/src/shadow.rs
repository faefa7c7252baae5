//! Shadow policies: a second set that is evaluated without effect. Differences are counted, logged and recorded
//! with the decision.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use cedar_policy::{Entities, EntityUid};
use parking_lot::Mutex;

use super::direction::Direction;
use super::log_entry::{EvaluationInput, LogEntry};
use super::metric_counts::MetricCounts;
use charter_authz::decision::Decision;
use charter_authz::json::is_action;
use charter_authz::snapshot::Snapshot;

/// The groups of an action; `None` if there is no such action.
fn groups<'a>(entities: &'a Entities, action: &EntityUid) -> Option<BTreeSet<&'a EntityUid>> {
    Some(entities.ancestors(action)?.collect())
}

#[derive(Debug, Default)]
pub struct ShadowPolicies {
    snapshot: ArcSwapOption<Snapshot>,
    remembered: Mutex<ShadowState>,
}

#[derive(Debug, Default)]
struct ShadowState {
    /// The digests of two sets, and whether their actions are the same.
    same_actions: Option<(Arc<str>, Arc<str>, bool)>,
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

    /// The decision of the shadow policies, if it differs. `principal` is the masked principal for
    /// the service's log.
    pub(super) fn compare(
        &self,
        entry: &LogEntry,
        counts: &mut MetricCounts,
        principal: impl FnOnce() -> String,
    ) -> Option<Decision> {
        let snapshot = self.snapshot.load();
        let snapshot = snapshot.as_ref()?;
        let EvaluationInput::Evaluated(asked) = &entry.subject else {
            return None;
        };
        let prepared = entry.principal.entities();
        let entities = match &asked.entities {
            Some(entities) => entities,
            None => prepared?,
        };
        let permission = entry.decision.permission;
        let live = &entry.decision.policy_digest;
        let decision = if self.has_same_actions(live, snapshot, entities) {
            snapshot.decide_request(permission, &asked.request, entities)
        } else {
            let things = entities.iter().filter(|it| !is_action(&it.uid())).cloned();
            let entities = snapshot.with_actions(things).ok()?;
            snapshot.decide_request(permission, &asked.request, &entities)
        };
        counts.compared();
        let direction = Direction::between(entry.decision.outcome, decision.outcome)?;
        counts.difference(permission, direction);
        self.log(entry, &decision, direction, principal);
        Some(decision)
    }

    fn has_same_actions(&self, live: &Arc<str>, other: &Snapshot, entities: &Entities) -> bool {
        let mut remembered = self.remembered.lock();
        if let Some((first, second, same)) = &remembered.same_actions
            && first == live
            && second == other.digest()
        {
            return *same;
        }
        let actions =
            |entities: &Entities| entities.iter().filter(|it| is_action(&it.uid())).count();
        let same = actions(entities) == actions(other.actions())
            && other.actions().iter().all(|action| {
                let uid = action.uid();
                // Entities compare by id only; compare the groups.
                groups(entities, &uid) == groups(other.actions(), &uid)
            });
        remembered.same_actions = Some((Arc::clone(live), Arc::clone(other.digest()), same));
        same
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
