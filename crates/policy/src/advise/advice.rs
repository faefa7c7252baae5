//! Puts together what was used, a narrower version, the proof that it is narrower and the replay that it is enough.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cedar_policy::{EntityUid, Policy, PolicyId};
use serde_json::Value;

use super::edit::{document_diff, edited, unified_diff};
use super::grants::assuming;
use super::log_pass::{LogPeriod, RefusedAdvice};
use super::narrow::{RequestKind, RequestKinds, without_role};
use super::report::{Advice, PolicyUse, UseCount, Verdict};
use super::subject::{Concern, HeldGrants, Subject, mentions};
use super::uses::{JudgedLog, Uses, Wanted};
use crate::diff::{Diff, compare_sets};
use crate::solver::{Solver, SolverLimits};
use crate::test;
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::Clock;
use charter_domain::progress::Progress;
use charter_domain::timestamp;

/// Who is judged, by which policies and which log.
pub struct AdviceRequest<'a> {
    /// Who or what may hold more than it needs.
    pub subject: &'a Subject,
    /// The folder's path, as reports and the diff have it.
    pub dir: &'a Path,
    /// The folder.
    pub folder: &'a Folder,
    /// Its policies.
    pub snapshot: &'a Snapshot,
    /// The domain of one's own that the folder is.
    pub domain: Option<&'a str>,
    /// Directories of decision logs: one for each replica.
    pub logs: &'a [PathBuf],
    /// The time that is judged.
    pub period: LogPeriod,
    /// The solver.
    pub solver: &'a Solver,
    /// Its limits.
    pub limits: SolverLimits,
    /// The clock of those limits.
    pub clock: &'a dyn Clock,
    /// Of reading, in bytes.
    pub progress: &'a Progress,
}

/// Finds what was granted and never used, and a narrower version that suffices. Blocks.
///
/// # Errors
///
/// The log covers less than was asked, or the subject grants nothing.
pub fn advise(request: &AdviceRequest<'_>) -> Result<Advice, RefusedAdvice> {
    match request.subject {
        Subject::ServiceAccount(held) => request.about_account(held),
        Subject::Policy(_) => request.about_policies(None),
        Subject::Role(role) => request.about_policies(Some(role)),
    }
}

fn policies(error: impl ToString) -> RefusedAdvice {
    RefusedAdvice::Policies(error.to_string())
}

impl<'a> AdviceRequest<'a> {
    fn log(&self, account: Option<&'a str>) -> JudgedLog<'a> {
        JudgedLog {
            logs: self.logs,
            period: self.period,
            progress: self.progress,
            domain: self.domain,
            account,
        }
    }

    fn advice(&self, uses: &Uses, of: Vec<PolicyUse>) -> Advice {
        Advice {
            subject: self.subject.title(),
            domain: self.domain.map(ToOwned::to_owned),
            since: timestamp::format(self.period.since),
            until: timestamp::format(self.period.until.unwrap_or(uses.end)),
            decisions: uses.decisions,
            counted: uses.counted,
            allowed: uses.allowed,
            evaluations: uses.evaluations,
            denied_now: uses.denied_now,
            uses: of,
            verdict: Verdict::NothingToLeaveOut,
            narrowed: Vec::new(),
            solver: None,
            broken_examples: Vec::new(),
            diff: String::new(),
            patch: None,
            notes: Vec::new(),
        }
    }

    fn about_policies(&self, role: Option<&EntityUid>) -> Result<Advice, RefusedAdvice> {
        let concerned = self.subject.policies(self.snapshot)?;
        let kinds = RequestKinds::of(self.snapshot).map_err(policies)?;
        let log = self.log(None);
        let wanted = Wanted {
            policies: &concerned,
            role,
        };
        let uses = log.uses(self.snapshot, &wanted)?;
        let mut edits: BTreeMap<String, Option<Value>> = BTreeMap::new();
        let (mut of, mut notes) = (Vec::new(), Vec::new());
        for (id, concern) in &concerned {
            let policy = self.snapshot.policies().policy(&PolicyId::new(id));
            let policy = policy.ok_or_else(|| policies(format!("there is no policy `{id}`")))?;
            let allowed = uses.of_policies.get(id);
            let granted = kinds.granted(policy).map_err(policies)?;
            if *concern != Concern::Named {
                of.push(self.use_of(policy, &granted, allowed));
            }
            let is_used = allowed.is_some_and(|kinds| !kinds.is_empty());
            match (concern, role) {
                (Concern::Named, _) => notes.push(format!(
                    "`{id}` names the role in a way that is not narrowed here; ask about that policy"
                )),
                (Concern::Listed, Some(role)) if !is_used => {
                    let edit = without_role(policy, role).map_err(policies)?;
                    edits.insert(id.clone(), edit);
                }
                (Concern::Listed, _) => {}
                (Concern::Whole, _) => {
                    let allowed = allowed.into_iter().flat_map(BTreeMap::keys).cloned();
                    let allowed: BTreeSet<RequestKind> = allowed.collect();
                    if allowed.is_empty() {
                        edits.insert(id.clone(), None);
                    } else if let Some(edit) =
                        kinds.narrowed(policy, &granted, &allowed).map_err(policies)?
                    {
                        edits.insert(id.clone(), Some(edit));
                    }
                }
            }
        }
        let mut advice = self.advice(&uses, of);
        advice.notes = notes;
        if edits.is_empty() {
            return Ok(advice);
        }
        let files = edited(self.folder, self.snapshot, &edits).map_err(policies)?;
        let diff = unified_diff(self.dir, self.folder.files(), &files);
        let folder = Folder::from_files(self.dir, files).map_err(|it| policies(it.report()))?;
        let candidate = Snapshot::from_folder(&folder).map_err(|it| policies(it.report()))?;
        self.judge(&mut advice, &log, self.snapshot, &candidate)?;
        if advice.verdict == Verdict::Narrower {
            advice.diff = diff;
            let examples = test::run(&folder, &candidate).map_err(|it| policies(it.report()))?;
            advice.broken_examples = examples.failures();
        }
        Ok(advice)
    }

    fn use_of(
        &self,
        policy: &Policy,
        granted: &BTreeSet<RequestKind>,
        used: Option<&BTreeMap<RequestKind, u64>>,
    ) -> PolicyUse {
        let id = policy.id().to_string();
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (kind, count) in used.into_iter().flatten() {
            *counts.entry(&kind.0).or_default() += count;
        }
        let granted: BTreeSet<&str> = granted.iter().map(|kind| kind.0.as_str()).collect();
        let never = granted
            .into_iter()
            .filter(|name| !counts.contains_key(name));
        PolicyUse {
            place: self.snapshot.location(&id).map(ToString::to_string),
            policy: Some(id),
            never: never.map(ToOwned::to_owned).collect(),
            used: use_counts(counts.into_iter()),
        }
    }

    /// Sets the verdict: whether the candidate is proved to be narrower, and allows what was allowed.
    fn judge(
        &self,
        advice: &mut Advice,
        log: &JudgedLog<'_>,
        before: &Snapshot,
        after: &Snapshot,
    ) -> Result<(), RefusedAdvice> {
        let diff: Diff =
            compare_sets(before, after, self.solver, self.limits, self.clock).map_err(policies)?;
        let permissions = diff.permissions.iter();
        let narrowed = permissions.filter(|(_, change)| !change.narrower.is_empty());
        advice.narrowed = narrowed.map(|(name, _)| name.clone()).collect();
        advice.solver = Some(diff.solver.clone());
        advice.verdict = if diff.is_wider() {
            let report = diff.report();
            Verdict::NotFound(format!("the edit is not proved to be narrower:\n{report}"))
        } else {
            match log.lost(before, after)? {
                (0, _) => Verdict::Narrower,
                (lost, examples) => Verdict::NotFound(format!(
                    "the edit denies {lost} decisions that were allowed, such as {}",
                    examples.join(", ")
                )),
            }
        };
        Ok(())
    }

    fn about_account(&self, held: &HeldGrants) -> Result<Advice, RefusedAdvice> {
        let assumed = |held: &HeldGrants| {
            assuming(self.dir, self.folder, self.snapshot, held).map_err(policies)
        };
        let before = assumed(held)?;
        let log = self.log(Some(&held.id));
        let none = BTreeMap::new();
        let wanted = Wanted {
            policies: &none,
            role: None,
        };
        let uses = log.uses(&before, &wanted)?;
        let needed = NeededGrants {
            held,
            uses: &uses,
            snapshot: self.snapshot,
        };
        let mut advice = self.advice(&uses, vec![needed.report()]);
        let mut first_refusal = None;
        let mut best: Option<Advice> = None;
        for candidate in needed.candidates() {
            if candidate == *held {
                continue;
            }
            self.judge(&mut advice, &log, &before, &assumed(&candidate)?)?;
            if advice.verdict != Verdict::Narrower {
                first_refusal.get_or_insert_with(|| advice.verdict.clone());
                continue;
            }
            // Another grant that changes nothing is no advice.
            if advice.narrowed.is_empty() && !candidate.is_part_of(held) {
                continue;
            }
            let is_better = |best: &Advice| advice.narrowed.len() > best.narrowed.len();
            if best.as_ref().is_none_or(is_better) {
                advice.diff = document_diff(&held.id, &lines(held), &lines(&candidate));
                advice.patch = Some(candidate);
                best = Some(advice.clone());
            }
        }
        advice.narrowed.clear();
        advice.verdict = first_refusal.unwrap_or(Verdict::NothingToLeaveOut);
        Ok(best.unwrap_or(advice))
    }
}

/// A line for each grant.
fn lines(held: &HeldGrants) -> String {
    let roles = held.roles.iter().map(|name| format!("role {name}\n"));
    let permissions = held.permissions.iter();
    roles
        .chain(permissions.map(|name| format!("permission {name}\n")))
        .collect()
}

/// Which of its grants a service account needs.
struct NeededGrants<'a> {
    held: &'a HeldGrants,
    uses: &'a Uses,
    snapshot: &'a Snapshot,
}

impl NeededGrants<'_> {
    /// Without roles, with those that it has, and with one that it may not have.
    fn candidates(&self) -> Vec<HeldGrants> {
        let id = self.held.id.clone();
        let kept = |names: &[String], is_kept: &dyn Fn(&String) -> bool| -> Vec<String> {
            names.iter().filter(|name| is_kept(name)).cloned().collect()
        };
        let permissions = kept(&self.held.permissions, &|name| self.needs_permission(name));
        let with_roles = HeldGrants {
            id: id.clone(),
            roles: kept(&self.held.roles, &|name| self.needs_role(name)),
            permissions: permissions.clone(),
        };
        if with_roles.roles.is_empty() {
            return vec![with_roles];
        }
        // What a role is used for, permission by permission instead.
        let used = self.uses.permissions.keys();
        let named = used.filter(|name| self.is_named("Permission", name));
        let permissions: BTreeSet<String> = named.cloned().chain(permissions).collect();
        let without_roles = HeldGrants {
            id,
            roles: kept(&self.held.roles, &|name| self.is_elsewhere_or_given(name)),
            permissions: permissions.into_iter().collect(),
        };
        let by_one_role = self.snapshot.catalogue().roles().map(|name| HeldGrants {
            roles: [without_roles.roles.clone(), vec![name.to_owned()]].concat(),
            ..with_roles.clone()
        });
        let by_one_role: Vec<HeldGrants> = by_one_role.collect();
        [without_roles, with_roles]
            .into_iter()
            .chain(by_one_role)
            .collect()
    }

    fn needs_permission(&self, name: &String) -> bool {
        let given = ("Permission".to_owned(), name.clone());
        self.uses.permissions.contains_key(name)
            || self.uses.given.contains(&given)
            || self.uses.elsewhere.permissions.contains(name)
    }

    /// Whether a policy that allowed something names it.
    fn needs_role(&self, name: &String) -> bool {
        let by = self.uses.by.iter();
        let mut by = by.filter_map(|id| self.snapshot.policies().policy(&PolicyId::new(id)));
        self.is_elsewhere_or_given(name) || by.any(|policy| names(policy, "Role", name))
    }

    fn is_elsewhere_or_given(&self, role: &String) -> bool {
        let given = ("Role".to_owned(), role.clone());
        self.uses.elsewhere.roles.contains(role) || self.uses.given.contains(&given)
    }

    /// Whether any policy names it.
    fn is_named(&self, of: &str, name: &str) -> bool {
        let mut policies = self.snapshot.policies().policies();
        policies.any(|policy| names(policy, of, name))
    }

    fn report(&self) -> PolicyUse {
        let roles = self.held.roles.iter().filter(|name| !self.needs_role(name));
        let roles = roles.map(|name| format!("the role {name}"));
        let permissions = self.held.permissions.iter();
        let permissions = permissions.filter(|name| !self.needs_permission(name));
        let used = self.uses.permissions.iter();
        PolicyUse {
            policy: None,
            place: None,
            used: use_counts(used.map(|(name, count)| (name.as_str(), *count))),
            never: roles.chain(permissions.cloned()).collect(),
        }
    }
}

fn use_counts<'n>(counts: impl Iterator<Item = (&'n str, u64)>) -> Vec<UseCount> {
    let count = |(name, count): (&str, u64)| UseCount {
        permission: name.to_owned(),
        count,
    };
    counts.map(count).collect()
}

fn names(policy: &Policy, of: &str, name: &str) -> bool {
    let uid = format!("{of}::{name:?}").parse();
    let uid: Result<EntityUid, _> = uid;
    let json = policy.to_json();
    uid.is_ok_and(|uid| json.is_ok_and(|json| mentions(&json, &uid) > 0))
}
