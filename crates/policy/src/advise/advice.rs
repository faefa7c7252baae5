//! Puts together what was used, a narrower version, the proof that it is narrower and the replay that it is enough.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cedar_policy::{EntityUid, Policy, PolicyId};
use serde_json::Value;

use super::edit::{document_diff, edited, unified_diff};
use super::grants::assuming;
use super::log_pass::{LogPeriod, RefusedAdvice};
use super::narrow::{RequestKind, RequestKinds, reads_context, without_role};
use super::needed_grants::NeededGrants;
use super::report::{Advice, AdviceVerdict, JudgedLogEnd, PolicyUse, UseCount};
use super::subject::{Concern, HeldGrants, Subject};
use super::uses::{JudgedLog, Uses, Wanted};
use crate::diff::{Diff, compare_sets};
use crate::solver::{Solver, SolverLimits};
use crate::test;
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::Clock;
use charter_domain::progress::Progress;
use charter_domain::timestamp;

/// Candidates for which the log is read once. Bounds memory: each has its own entities.
const CANDIDATES_PER_PASS: usize = 8;

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
        let ends = self.logs.iter().zip(&uses.ends);
        let logs = ends.map(|(log, end)| JudgedLogEnd {
            log: log.display().to_string(),
            ends: timestamp::format_millis(*end),
        });
        let end = uses.ends.iter().max().copied();
        let until = self.period.until.or(end).unwrap_or(self.period.since);
        Advice {
            subject: self.subject.title(),
            domain: self.domain.map(ToOwned::to_owned),
            since: timestamp::format(self.period.since),
            until: timestamp::format(until),
            logs: logs.collect(),
            decisions: uses.decisions,
            counted: uses.counted,
            allowed: uses.allowed,
            evaluations: uses.evaluations,
            denied_now: uses.denied_now,
            uses: of,
            verdict: AdviceVerdict::NothingToLeaveOut,
            counted_shown: false,
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
        let (files, lost) = edited(self.folder, self.snapshot, &edits).map_err(policies)?;
        let diff = unified_diff(self.folder, self.dir, &files);
        let folder = Folder::from_files(self.dir, files).map_err(|it| policies(it.report()))?;
        let candidate = Snapshot::from_folder(&folder).map_err(|it| policies(it.report()))?;
        let candidates = std::slice::from_ref(&candidate);
        let judged = self.judged(&advice, &uses, &log, self.snapshot, candidates)?;
        let mut advice = judged.into_iter().next().unwrap_or(advice);
        if advice.verdict == AdviceVerdict::Narrower {
            advice.diff = diff;
            advice.notes.extend(lost);
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
            used: UseCount::all(counts.into_iter()),
        }
    }

    /// The advice with the verdict on each candidate: whether it is proved to be narrower, and allows what was allowed.
    fn judged(
        &self,
        advice: &Advice,
        uses: &Uses,
        log: &JudgedLog<'_>,
        before: &Snapshot,
        candidates: &[Snapshot],
    ) -> Result<Vec<Advice>, RefusedAdvice> {
        let mut judged = Vec::new();
        for after in candidates {
            let diff: Diff = compare_sets(before, after, self.solver, self.limits, self.clock)
                .map_err(policies)?;
            let permissions = diff.permissions.iter();
            let narrowed = permissions.filter(|(_, change)| !change.narrower.is_empty());
            judged.push(Advice {
                narrowed: narrowed.map(|(name, _)| name.clone()).collect(),
                solver: Some(diff.solver.clone()),
                counted_shown: !uses.has_other_policies
                    || !reads_context(after).map_err(policies)?,
                verdict: if diff.is_wider() {
                    let report = diff.report();
                    AdviceVerdict::NotFound(format!(
                        "the edit is not proved to be narrower:\n{report}"
                    ))
                } else {
                    AdviceVerdict::Narrower
                },
                ..advice.clone()
            });
        }
        let proved = judged.iter_mut().zip(candidates);
        let mut proved: Vec<(&mut Advice, &Snapshot)> = proved
            .filter(|(advice, _)| advice.verdict == AdviceVerdict::Narrower)
            .collect();
        for some in proved.chunks_mut(CANDIDATES_PER_PASS) {
            let after: Vec<&Snapshot> = some.iter().map(|(_, after)| *after).collect();
            for ((advice, _), lost) in some.iter_mut().zip(log.lost(before, &after)?) {
                if lost.count > 0 {
                    advice.verdict = AdviceVerdict::NotFound(format!(
                        "the edit denies {} decisions that were allowed, such as {}",
                        lost.count,
                        lost.examples.join(", ")
                    ));
                }
            }
        }
        Ok(judged)
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
        let advice = self.advice(&uses, vec![needed.report()]);
        let mut candidates = needed.candidates();
        // Whatever has all of it leaves nothing out.
        candidates.retain(|candidate| !held.is_part_of(candidate));
        let assumed: Vec<Snapshot> = candidates.iter().map(assumed).collect::<Result<_, _>>()?;
        let judged = self.judged(&advice, &uses, &log, &before, &assumed)?;
        let mut first_refusal = None;
        let mut best: Option<Advice> = None;
        for (mut advice, candidate) in judged.into_iter().zip(candidates) {
            if advice.verdict != AdviceVerdict::Narrower {
                first_refusal.get_or_insert(advice);
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
                best = Some(advice);
            }
        }
        let refusal = first_refusal.map(|refused| Advice {
            narrowed: Vec::new(),
            ..refused
        });
        Ok(best.or(refusal).unwrap_or(advice))
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
