//! Shadow policies: a second set that is evaluated without effect. Differences are counted, logged and recorded
//! with the decision.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use cedar_policy::{Entities, Request};
use parking_lot::Mutex;

use super::direction::Direction;
use super::domain_decision::DomainDecision;
use super::log_entry::{BuiltInDecision, Decided, EvaluationInput, LogEntry};
use super::metric_counts::MetricCounts;
use charter_authz::custom_domain::CustomDomain;
use charter_authz::decision::PolicyVerdict;
use charter_authz::json::is_action;
use charter_authz::policy_health::ShadowInUse;
use charter_authz::snapshot::Snapshot;

#[derive(Debug, Default)]
pub struct ShadowPolicies {
    snapshot: ArcSwapOption<Snapshot>,
    /// Of domains of one's own, by name.
    domains: ArcSwap<BTreeMap<String, ShadowDomain>>,
    remembered: Mutex<ShadowState>,
}

/// The shadow of one domain of one's own.
#[derive(Debug, Clone, Default)]
pub struct ShadowDomain {
    /// The last version that could be loaded.
    pub domain: Option<Arc<CustomDomain>>,
    /// Its folder.
    pub in_use: Option<ShadowInUse>,
    /// Why the folder cannot be used as it is now.
    pub fault: Option<String>,
}

/// What shadow policies decide.
#[derive(Debug)]
pub(super) struct ShadowAnswer {
    pub(super) verdict: PolicyVerdict,
    pub(super) policy_digest: Arc<str>,
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

    /// Those of domains of one's own; a domain that has none is not compared.
    pub fn replace_domains(&self, domains: BTreeMap<String, ShadowDomain>) {
        self.domains.store(Arc::new(domains));
    }

    /// That of a domain of one's own, if there is a folder of that name.
    #[must_use]
    pub fn domain(&self, name: &str) -> Option<ShadowDomain> {
        self.domains.load().get(name).cloned()
    }

    #[must_use]
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// The decision of the shadow policies, if it differs. `principal` is the masked principal for the service's log.
    pub(super) fn compare(
        &self,
        entry: &LogEntry,
        counts: &mut MetricCounts,
        principal: impl FnOnce() -> String,
    ) -> Option<ShadowAnswer> {
        let other = match &entry.decided {
            Decided::BuiltIn(decision) => self.ask(decision)?,
            Decided::Domain(decision) => self.ask_domain(decision)?,
        };
        counts.compared();
        let decided = entry.answer().outcome;
        let direction = Direction::between(decided, other.verdict.outcome)?;
        counts.difference(&entry.decided, direction);
        self.log(entry, &other, direction, principal);
        Some(other)
    }

    fn ask(&self, decision: &BuiltInDecision) -> Option<ShadowAnswer> {
        let snapshot = self.snapshot.load();
        let snapshot = snapshot.as_ref()?;
        let EvaluationInput::Evaluated(asked) = &decision.subject else {
            return None;
        };
        let entities = match &asked.entities {
            Some(entities) => Cow::Borrowed(entities),
            None => Cow::Owned(Entities::clone(&*decision.principal.entities(snapshot)?)),
        };
        let things = entities.iter().filter(|it| !is_action(&it.uid())).cloned();
        let entities = snapshot.with_actions(things).ok()?;
        let permission = decision.decision.permission;
        let other = snapshot.decide_request(permission, &asked.request, &entities);
        Some(ShadowAnswer {
            verdict: other.into(),
            policy_digest: Arc::clone(snapshot.digest()),
        })
    }

    /// `None` also for a question that the shadow's schema does not allow.
    fn ask_domain(&self, decision: &DomainDecision) -> Option<ShadowAnswer> {
        let domains = self.domains.load();
        let shadow = domains.get(&*decision.domain)?;
        let snapshot = shadow.domain.as_ref()?.snapshot();
        let schema = Some(snapshot.schema());
        let asked = &decision.answered.request;
        let request = Request::new(
            asked.principal()?.clone(),
            asked.action()?.clone(),
            asked.resource()?.clone(),
            asked.context()?.clone(),
            schema,
        );
        let entities = decision.answered.entities.iter();
        let things = entities.filter(|it| !is_action(&it.uid())).cloned();
        let entities = Entities::from_entities(things, schema).ok()?;
        Some(ShadowAnswer {
            verdict: snapshot.judge(&request.ok()?, &entities),
            policy_digest: Arc::clone(snapshot.digest()),
        })
    }

    /// Logs one line per second.
    fn log(
        &self,
        entry: &LogEntry,
        other: &ShadowAnswer,
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
            domain = entry.decided.domain(),
            permission = entry.decided.action(),
            principal = principal(),
            direction = direction.as_str(),
            determining = ?other.verdict.determining,
            shadow = %other.policy_digest,
            unlogged,
            "the shadow policies decide differently"
        );
    }
}
