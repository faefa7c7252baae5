//! Evaluates the log's allowed decisions again, and records the grants that they used.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;

use cedar_policy::{EntityUid, PolicyId};
use serde::Deserialize as _;
use serde_json::Value;

use super::log_pass::{self, LogItem, LogPeriod, RefusedAdvice};
use super::narrow::RequestKind;
use super::policy_json::part;
use super::subject::{Concern, HeldGrants};
use crate::counted::counted;
use crate::replay::worker::{ReplayedAnswer, Worker};
use crate::replay::{EarlierSnapshots, ReplayMode, ReplayPolicies};
use charter_authz::decision::Outcome;
use charter_authz::json::Uid;
use charter_authz::snapshot::Snapshot;
use charter_decision_log::{CountedDecisions, DecisionRecord, EVALUATION};
use charter_domain::progress::Progress;
use charter_domain::timestamp::Timestamp;

/// How many decisions that would be denied are named.
const EXAMPLES: usize = 3;

/// Limit of combinations of caller, permission and resource; they take some 70 MB.
const MAX_KINDS: usize = 2_000_000;

/// The type of service accounts in other domains.
const ACCOUNT_ELSEWHERE: &str = "Charter::ServiceAccount";

/// The log, and the decisions of it that count.
pub(super) struct JudgedLog<'a> {
    pub(super) logs: &'a [PathBuf],
    pub(super) period: LogPeriod,
    pub(super) progress: &'a Progress,
    /// The domain of one's own.
    pub(super) domain: Option<&'a str>,
    /// Only decisions of this service account.
    pub(super) account: Option<&'a str>,
}

/// The grants that allowed decisions used.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// Lines of the decisions that count.
    pub(super) decisions: u64,
    /// Further allowed ones that the log only counts.
    pub(super) counted: u64,
    /// Lines of allowed ones that were evaluated again, and are still allowed.
    pub(super) allowed: u64,
    /// Those of them that were only asked about, through the evaluation endpoint.
    pub(super) evaluations: u64,
    /// Allowed then, and denied by the folder now.
    pub(super) denied_now: u64,
    /// Allowed ones that cannot be evaluated again.
    unjudged: u64,
    /// Whether other policies determined some of them.
    pub(super) has_other_policies: bool,
    pub(super) of_policies: BTreeMap<String, BTreeMap<RequestKind, u64>>,
    pub(super) permissions: BTreeMap<String, u64>,
    /// Roles and permissions that were given away, as type and name.
    pub(super) given: BTreeSet<(String, String)>,
    /// `@id`s of the policies that allowed a decision.
    pub(super) by: BTreeSet<String>,
    /// Grants of the service account in other domains' records.
    pub(super) elsewhere: HeldGrants,
    /// Whether the caller was in the role, by a hash of caller, permission and resource.
    kinds: HashMap<u64, bool>,
    hasher: RandomState,
    /// Time of each log's last line.
    pub(super) ends: Vec<Timestamp>,
}

/// Allowed decisions that another policy set does not allow.
#[derive(Debug, Clone, Default)]
pub(super) struct LostDecisions {
    pub(super) count: u64,
    /// Ids of the first of them.
    pub(super) examples: Vec<String>,
}

/// The result of evaluating a recorded decision.
enum AskedAgain {
    /// By these policies.
    Allowed(Vec<String>),
    Denied,
    /// It is masked or does not fit the schema, or a policy that may have allowed it cannot be evaluated.
    Unanswered,
}

/// Which uses are kept.
pub(super) struct Wanted<'a> {
    pub(super) policies: &'a BTreeMap<String, Concern>,
    pub(super) role: Option<&'a EntityUid>,
}

impl JudgedLog<'_> {
    /// # Errors
    ///
    /// The log lacks decisions of the period, or some cannot be evaluated again.
    pub(super) fn uses(
        &self,
        snapshot: &Snapshot,
        wanted: &Wanted<'_>,
    ) -> Result<Uses, RefusedAdvice> {
        let (policies, earlier) = (ReplayPolicies::default(), EarlierSnapshots::new());
        let mut worker = Worker::new(&policies, &earlier, ReplayMode::Candidate);
        let mut uses = Uses::default();
        let mut visit = |item: LogItem| {
            match item {
                LogItem::Decision(record)
                    if self.concerns(record.domain.as_deref(), &record.principal) =>
                {
                    uses.decision(&record, &mut worker, snapshot, wanted)?;
                }
                LogItem::Decision(record) => self.elsewhere(&record, &mut uses),
                LogItem::Counted(line)
                    if self.concerns(line.domain.as_deref(), &line.principal) =>
                {
                    uses.counted(&line, snapshot, wanted);
                }
                LogItem::Counted(_) => {}
            }
            Ok(())
        };
        uses.ends = log_pass::read(self.logs, self.period, self.progress, &mut visit)?;
        if uses.unjudged > 0 {
            return Err(RefusedAdvice::Unjudged(format!(
                "{} of this time cannot be asked again: masked or unreadable, not suiting the policies as they are, or counted without one of the same kind",
                counted(uses.unjudged, "allowed decision", "allowed decisions")
            )));
        }
        Ok(uses)
    }

    /// Evaluates the decisions that one set allows by the others, in one pass; returns those that each denies.
    pub(super) fn lost(
        &self,
        before: &Snapshot,
        others: &[&Snapshot],
    ) -> Result<Vec<LostDecisions>, RefusedAdvice> {
        let (policies, earlier) = (ReplayPolicies::default(), EarlierSnapshots::new());
        let mut worker = Worker::new(&policies, &earlier, ReplayMode::Candidate);
        let mut lost = vec![LostDecisions::default(); others.len()];
        let mut visit = |item: LogItem| {
            let LogItem::Decision(record) = item else {
                return Ok(());
            };
            let is_judged = record.decision == "allow"
                && self.concerns(record.domain.as_deref(), &record.principal);
            if !is_judged || matches!(ask(&mut worker, &record, before), AskedAgain::Denied) {
                return Ok(());
            }
            for (after, lost) in others.iter().zip(&mut lost) {
                if !matches!(ask(&mut worker, &record, after), AskedAgain::Allowed(_)) {
                    lost.count += 1;
                    if lost.examples.len() < EXAMPLES {
                        lost.examples.push(record.id.clone());
                    }
                }
            }
            Ok(())
        };
        log_pass::read(self.logs, self.period, self.progress, &mut visit)?;
        Ok(lost)
    }

    fn concerns(&self, domain: Option<&str>, principal: &Uid) -> bool {
        domain == self.domain
            && self.account.is_none_or(|id| {
                let is_masked = principal.id.starts_with("masked:") || principal.id == "***";
                principal.of == "ServiceAccount" && (principal.id == id || is_masked)
            })
    }

    /// Grants that policies of other domains may have read.
    fn elsewhere(&self, record: &DecisionRecord, uses: &mut Uses) {
        let Some(account) = self.account else { return };
        let principal = &record.principal;
        if principal.of != ACCOUNT_ELSEWHERE || record.decision != "allow" {
            return;
        }
        let is_read = record.masked.is_empty()
            && (principal.id != account
                || add_grants(record, account, &mut uses.elsewhere).is_ok());
        uses.unjudged += u64::from(!is_read);
    }
}

/// Adds the roles and permissions of the service account in another domain's record.
fn add_grants(
    record: &DecisionRecord,
    account: &str,
    held: &mut HeldGrants,
) -> Result<(), serde_json::Error> {
    let entities: Vec<Value> = serde_json::from_str(record.entities.get())?;
    let own = entities.iter().filter(|entity| {
        let uid = part(entity, "uid")
            .get("__entity")
            .unwrap_or(part(entity, "uid"));
        part(uid, "type") == ACCOUNT_ELSEWHERE && part(uid, "id") == account
    });
    for attributes in own.map(|entity| part(entity, "attrs")) {
        for (names, into) in [
            (part(attributes, "roles"), &mut held.roles),
            (part(attributes, "permissions"), &mut held.permissions),
        ] {
            let names = Option::<Vec<String>>::deserialize(names)?;
            into.extend(names.into_iter().flatten());
        }
    }
    Ok(())
}

impl Uses {
    fn decision(
        &mut self,
        record: &DecisionRecord,
        worker: &mut Worker<'_>,
        snapshot: &Snapshot,
        wanted: &Wanted<'_>,
    ) -> Result<(), RefusedAdvice> {
        self.decisions += 1;
        self.counted += record.rest;
        if record.decision != "allow" {
            return Ok(());
        }
        self.has_other_policies |= *record.policy_digest != **snapshot.digest();
        let determining = match ask(worker, record, snapshot) {
            AskedAgain::Allowed(determining) => determining,
            AskedAgain::Denied => {
                self.denied_now += 1;
                return Ok(());
            }
            AskedAgain::Unanswered => {
                self.unjudged += 1;
                return Ok(());
            }
        };
        let role = wanted.role;
        let is_in_role = role.is_some_and(|role| {
            let found = worker.is_principal_in(record, snapshot, role);
            found.unwrap_or(true)
        });
        self.allowed += 1;
        self.evaluations += u64::from(record.via.as_deref() == Some(EVALUATION));
        let asked = (&record.principal, &record.action, &record.resource);
        self.remember(self.kind(asked), is_in_role)?;
        self.used(asked, &determining, is_in_role, 1 + record.rest, wanted);
        Ok(())
    }

    fn remember(&mut self, kind: u64, is_in_role: bool) -> Result<(), RefusedAdvice> {
        if self.kinds.len() >= MAX_KINDS && !self.kinds.contains_key(&kind) {
            return Err(RefusedAdvice::Unjudged(format!(
                "more than {MAX_KINDS} combinations of caller, permission and resource were allowed in this time: judge a shorter one"
            )));
        }
        self.kinds.insert(kind, is_in_role);
        Ok(())
    }

    fn counted(&mut self, line: &CountedDecisions, snapshot: &Snapshot, wanted: &Wanted<'_>) {
        self.counted += line.count;
        let asked = (&line.principal, &line.action, &line.resource);
        let known = self.kinds.get(&self.kind(asked)).copied();
        let is_of_folder = |id: &String| snapshot.policies().policy(&PolicyId::new(id)).is_some();
        if known.is_none() && !line.determining.iter().any(is_of_folder) {
            self.unjudged += line.count;
            return;
        }
        // Only the line of its kind names the policies.
        self.has_other_policies |= known.is_none();
        self.used(
            asked,
            &line.determining,
            known.unwrap_or(true),
            line.count,
            wanted,
        );
    }

    fn kind(&self, (principal, action, resource): (&Uid, &Uid, &Uid)) -> u64 {
        let text = |uid: &Uid| (uid.of.clone(), uid.id.clone());
        let asked = (text(principal), &action.id, text(resource));
        self.hasher.hash_one(asked)
    }

    fn used(
        &mut self,
        (principal, action, resource): (&Uid, &Uid, &Uid),
        determining: &[String],
        is_in_role: bool,
        count: u64,
        wanted: &Wanted<'_>,
    ) {
        for policy in determining {
            let concern = wanted.policies.get(policy);
            if concern.is_some_and(|it| *it == Concern::Whole || is_in_role) {
                let kind = (action.id.clone(), principal.of.clone(), resource.of.clone());
                let of = self.of_policies.entry(policy.clone()).or_default();
                *of.entry(kind).or_default() += count;
            }
            if !self.by.contains(policy) {
                self.by.insert(policy.clone());
            }
        }
        *self.permissions.entry(action.id.clone()).or_default() += count;
        if matches!(resource.of.as_str(), "Role" | "Permission") {
            self.given
                .insert((resource.of.clone(), resource.id.clone()));
        }
    }
}

fn ask(worker: &mut Worker<'_>, record: &DecisionRecord, snapshot: &Snapshot) -> AskedAgain {
    if !record.masked.is_empty() {
        return AskedAgain::Unanswered;
    }
    match worker.ask(record, snapshot) {
        Ok(ReplayedAnswer::Decided(verdict)) if verdict.outcome == Outcome::Allow => {
            AskedAgain::Allowed(verdict.determining)
        }
        Ok(ReplayedAnswer::Decided(verdict)) if verdict.errors.is_empty() => AskedAgain::Denied,
        _ => AskedAgain::Unanswered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_bounded() {
        let mut uses = Uses {
            kinds: (0..).map(|kind| (kind, true)).take(MAX_KINDS).collect(),
            ..Uses::default()
        };
        assert!(uses.remember(0, false).is_ok(), "a known one");
        let refused = uses.remember(u64::MAX, true).expect_err("one more");
        assert!(refused.to_string().contains("judge a shorter one"));
    }
}
