//! Whether one set allows anything that another does not, for one request type.
//!
//! Policies that both sets share are left out of the query at first and added back only when a
//! counterexample shows that they matter. Leaving them out makes the claim stronger, so a proof
//! without them is valid.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::{
    Authorizer, Decision, Effect, Entities, Policy, PolicyId, PolicySet, Request, Response, Schema,
};
use cedar_policy_symcc::{CompiledPolicySet, Env};

use super::changes::DiffExample;
use super::compared_set::ComparedSet;
use crate::counterexample::{self, Counterexample, has_missing_data};
use crate::effective_decision::{self, EffectiveDecision};
use crate::policy_set::set;
use crate::request_type::{RequestType, permit_all};
use crate::solver::SolverQuery::Implies;
use crate::solver::{DOES_NOT_REPRODUCE, OpenReason, SolverAnswer, SolverSession};

/// Permits per query.
const PERMITS_AT_ONCE: usize = 16;
/// How often shared policies are added back before the query is given up.
const MAX_ROUNDS: usize = 100;

/// One side of a query, sorted by effect and by whether the other side has the policy.
pub(super) struct SortedPolicies<'a> {
    all: Vec<&'a Policy>,
    changed_permits: Vec<&'a Policy>,
    other_permits: Vec<&'a Policy>,
    changed_forbids: Vec<&'a Policy>,
    other_forbids: Vec<&'a Policy>,
}

impl<'a> SortedPolicies<'a> {
    pub(super) fn new(policies: &[&'a Policy], alike: &BTreeSet<PolicyId>) -> Self {
        let of = |effect, changed| {
            policies
                .iter()
                .copied()
                .filter(move |policy| {
                    policy.effect() == effect && alike.contains(policy.id()) != changed
                })
                .collect()
        };
        Self {
            all: policies.to_vec(),
            changed_permits: of(Effect::Permit, true),
            other_permits: of(Effect::Permit, false),
            changed_forbids: of(Effect::Forbid, true),
            other_forbids: of(Effect::Forbid, false),
        }
    }

    fn set(&self) -> Result<PolicySet, String> {
        set(self.all.iter().copied())
    }
}

/// Does `to` allow anything that `from` does not?
pub(super) struct WideningQuery<'q, 'a> {
    pub(super) schema: &'q Schema,
    pub(super) old: &'q ComparedSet<'a>,
    pub(super) new: &'q ComparedSet<'a>,
    pub(super) request_type: &'q RequestType<'q>,
    /// Whether `to` is the new set.
    pub(super) widening: bool,
    /// Ids of the policies that both sides share.
    pub(super) alike: &'q BTreeSet<PolicyId>,
    pub(super) from: SortedPolicies<'a>,
    pub(super) to: SortedPolicies<'a>,
}

/// An example, or why there may be one.
pub(super) type Found = Result<DiffExample, OpenReason>;

impl<'a> WideningQuery<'_, 'a> {
    /// `None` if it is proved that there is nothing.
    pub(super) fn ask(&self, session: &mut SolverSession<'_>) -> Option<Found> {
        self.try_to_ask(session)
            .unwrap_or_else(|reason| Some(Err(reason.into())))
    }

    fn try_to_ask(&self, session: &mut SolverSession<'_>) -> Result<Option<Found>, String> {
        let everything = permit_all()?;
        let mut open: Option<OpenReason> = None;
        // Permits that only one side has, or that differ.
        for permits in self.to.changed_permits.chunks(PERMITS_AT_ONCE) {
            let target = self.from.changed_permits.clone();
            match self.implied(permits, target, session)? {
                Some(Ok(example)) => return Ok(Some(Ok(example))),
                Some(Err(reason)) => open = Some(reason.or(open)),
                None => {}
            }
        }
        // Shared permits allow more only if a forbid is gone.
        if !self.from.changed_forbids.is_empty() && !self.to.other_permits.is_empty() {
            let unguarded = self.compiled(&[&everything], &self.to.changed_forbids)?;
            let target = self.compiled(&[&everything], &self.from.changed_forbids)?;
            let never = session.prove(Implies(unguarded, target));
            if !matches!(never, SolverAnswer::Holds) {
                for permits in self.to.other_permits.chunks(PERMITS_AT_ONCE) {
                    match self.implied(permits, vec![&everything], session)? {
                        Some(Ok(example)) => return Ok(Some(Ok(example))),
                        Some(Err(reason)) => open = Some(reason.or(open)),
                        None => {}
                    }
                }
            }
        }
        // A forbid that fails denies, too.
        for forbid in &self.from.changed_forbids {
            match self.never_fails(forbid, session)? {
                Some(Ok(example)) => return Ok(Some(Ok(example))),
                Some(Err(reason)) => open = Some(reason.or(open)),
                None => {}
            }
        }
        Ok(open.map(Err))
    }

    /// `None` if this forbid of `from` fails on nothing that `to` allows. Shared forbids fail on
    /// both sides.
    fn never_fails(
        &self,
        forbid: &Policy,
        session: &mut SolverSession<'_>,
    ) -> Result<Option<Found>, String> {
        let Some(sound) = effective_decision::error_free_condition(forbid, self.request_type)?
        else {
            return Ok(None);
        };
        let mut others = self.to.changed_forbids.iter();
        if others.any(|other| effective_decision::have_same_condition(forbid, other)) {
            return Ok(None);
        }
        let sound = self.compiled(&[&sound], &[])?;
        let (whole_from, whole_to) = (self.from.set()?, self.to.set()?);
        let permits = [&self.to.changed_permits[..], &self.to.other_permits].concat();
        let forbids = [&self.to.changed_forbids[..], &self.to.other_forbids].concat();
        let mut open: Option<OpenReason> = None;
        for permits in permits.chunks(PERMITS_AT_ONCE) {
            let to = self.compiled(permits, &forbids)?;
            let reason = match session.prove(Implies(to, Arc::clone(&sound))) {
                SolverAnswer::Holds => continue,
                SolverAnswer::Open(reason) => reason,
                SolverAnswer::Refuted(env) => {
                    if let Some(example) = self.example(&env, &whole_from, &whole_to) {
                        return Ok(Some(Ok(example)));
                    }
                    format!("`{}` may fail, which denies", forbid.id()).into()
                }
            };
            open = Some(reason.or(open));
        }
        Ok(open.map(Err))
    }

    fn compiled(
        &self,
        permits: &[&Policy],
        forbids: &[&Policy],
    ) -> Result<Arc<CompiledPolicySet>, String> {
        let both = permits.iter().chain(forbids).copied();
        self.request_type.compile_set(&set(both)?)
    }

    /// `None` if `from` allows everything that these permits allow in `to`. Grows `target` by
    /// further permits of `from` as counterexamples require.
    fn implied<'t>(
        &self,
        permits: &[&'a Policy],
        mut target: Vec<&'t Policy>,
        session: &mut SolverSession<'_>,
    ) -> Result<Option<Found>, String>
    where
        'a: 't,
    {
        let (whole_from, whole_to) = (self.from.set()?, self.to.set()?);
        // Shared forbids deny on both sides.
        let mut shared: Vec<&Policy> = Vec::new();
        for _ in 0..MAX_ROUNDS {
            let with = |forbids: &[&'a Policy], shared: &[&'a Policy]| [forbids, shared].concat();
            let some_shared: Vec<&'a Policy> = self.shared(&shared);
            let to = self.compiled(permits, &with(&self.to.changed_forbids, &some_shared))?;
            let from = self.compiled(&target, &with(&self.from.changed_forbids, &some_shared))?;
            let env = match session.prove(Implies(to, from)) {
                SolverAnswer::Holds => return Ok(None),
                SolverAnswer::Open(reason) => return Ok(Some(Err(reason))),
                SolverAnswer::Refuted(env) => env,
            };
            if let Some(example) = self.example(&env, &whole_from, &whole_to) {
                return Ok(Some(Ok(example)));
            }
            let authorizer = Authorizer::new();
            let in_to = authorizer.is_authorized(&env.request, &whole_to, &env.entities);
            let in_from = authorizer.is_authorized(&env.request, &whole_from, &env.entities);
            let before = (target.len(), shared.len());
            if in_to.decision() == Decision::Deny {
                add_deciding(&mut shared, &self.to.all, &in_to);
            } else if in_from.decision() == Decision::Allow {
                add_deciding(&mut target, &self.from.all, &in_from);
            }
            if before == (target.len(), shared.len()) {
                return Ok(Some(Err(DOES_NOT_REPRODUCE.into())));
            }
        }
        Ok(Some(Err("too many policies have a say in it".into())))
    }

    /// The shared ones among these policies.
    fn shared(&self, some: &[&Policy]) -> Vec<&'a Policy> {
        let wanted = |policy: &&Policy| {
            self.alike.contains(policy.id()) && some.iter().any(|p| p.id() == policy.id())
        };
        self.to.all.iter().copied().filter(wanted).collect()
    }

    /// A small request like the solver's that is answered differently.
    fn example(&self, env: &Env, from: &PolicySet, to: &PolicySet) -> Option<DiffExample> {
        let authorizer = Authorizer::new();
        let differs = |request: &Request, entities: &Entities| {
            let in_to = authorizer.is_authorized(request, to, entities);
            let in_from = authorizer.is_authorized(request, from, entities);
            EffectiveDecision::of(&in_to, to).is_allowed
                && !EffectiveDecision::of(&in_from, from).is_allowed
                && !has_missing_data(&in_to)
                && !has_missing_data(&in_from)
        };
        let scenario = counterexample::reproduce(env, self.schema, &differs)?;
        let (request, entities) = scenario.checked(self.schema)?;
        let (old, new) = if self.widening {
            (from, to)
        } else {
            (to, from)
        };
        let served =
            |set| EffectiveDecision::of(&authorizer.is_authorized(&request, set, &entities), set);
        let (old, new) = (served(old), served(new));
        let deciding: BTreeSet<&PolicyId> = old.by.union(&new.by).collect();
        let concerned = self.from.all.iter().chain(&self.to.all).copied();
        let concerned = concerned
            .filter(|policy| deciding.contains(policy.id()) || !self.alike.contains(policy.id()));
        Some(DiffExample {
            request: Counterexample::new(&scenario, concerned),
            is_allowed: self.widening,
            old: self.old.deciding(&old),
            new: self.new.deciding(&new),
        })
    }
}

/// Adds the deciding policies that are not in the list.
fn add_deciding<'a>(known: &mut Vec<&'a Policy>, all: &[&'a Policy], response: &Response) {
    let deciding: BTreeSet<&PolicyId> = response.diagnostics().reason().collect();
    let missing = all
        .iter()
        .copied()
        .filter(|policy| deciding.contains(policy.id()));
    for policy in missing {
        if !known.iter().any(|known| known.id() == policy.id()) {
            known.push(policy);
        }
    }
}
