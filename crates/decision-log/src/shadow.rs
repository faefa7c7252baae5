//! Another policy set that is asked beside the one in force and decides nothing: what it would
//! answer otherwise is counted, logged and marked in the line of the decision.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use cedar_policy::{Entities, EntityUid};
use parking_lot::Mutex;

use super::counts::Counts;
use super::direction::Direction;
use super::entry::{Entry, Subject};
use charter_authz::decision::Decision;
use charter_authz::json::is_action;
use charter_authz::snapshot::Snapshot;

/// The groups an action is in; `None` if there is no such action.
fn groups<'a>(entities: &'a Entities, action: &EntityUid) -> Option<BTreeSet<&'a EntityUid>> {
    Some(entities.ancestors(action)?.collect())
}

/// The set that is asked beside the one in force, if there is any.
#[derive(Debug, Default)]
pub struct Shadow {
    snapshot: ArcSwapOption<Snapshot>,
    remembered: Mutex<Remembered>,
}

#[derive(Debug, Default)]
struct Remembered {
    /// Whether the actions of these two sets are the same.
    same_actions: Option<(Arc<str>, Arc<str>, bool)>,
    /// The second in which a difference was logged last, and how many were not since.
    logged: (i64, u64),
}

impl Shadow {
    /// With a set from the start.
    #[must_use]
    pub fn new(snapshot: Option<Snapshot>) -> Self {
        let shadow = Self::default();
        shadow.replace(snapshot);
        shadow
    }

    /// Puts another set in its place, or none.
    pub fn replace(&self, snapshot: Option<Snapshot>) {
        self.snapshot.store(snapshot.map(Arc::new));
    }

    /// The set that is asked now.
    #[must_use]
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// What the other set answers, if that is something else.
    /// `principal` is what the service's log may say of who asked.
    pub(super) fn differs(
        &self,
        entry: &Entry,
        counts: &mut Counts,
        principal: impl FnOnce() -> String,
    ) -> Option<Decision> {
        let snapshot = self.snapshot.load();
        let snapshot = snapshot.as_ref()?;
        let Subject::Asked(asked) = &entry.subject else {
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
            snapshot.decide_again(permission, &asked.request, entities)
        } else {
            let things = entities.iter().filter(|it| !is_action(&it.uid())).cloned();
            let entities = snapshot.with_actions(things).ok()?;
            snapshot.decide_again(permission, &asked.request, &entities)
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
                // Entities are equal by name already; the groups are what may differ.
                groups(entities, &uid) == groups(other.actions(), &uid)
            });
        remembered.same_actions = Some((Arc::clone(live), Arc::clone(other.digest()), same));
        same
    }

    /// One line a second.
    fn log(
        &self,
        entry: &Entry,
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
            "the shadow policies would decide otherwise"
        );
    }
}
