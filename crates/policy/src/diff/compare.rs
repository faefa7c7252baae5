//! Compares what two sets allow of one kind of request.
//!
//! Policies that both sets have alike are left out of the question at first: without them it is
//! the harder claim. Only those that a counterexample shows to matter are put back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy::{
    Authorizer, Decision, Effect, Entities, Policy, PolicyId, PolicySet, Request, Response, Schema,
};
use cedar_policy_symcc::{CompiledPolicySet, Env};

use super::changes::{Change, Example};
use crate::counterexample::{self, Counterexample, Named, lacks_something};
use crate::policy_set::set;
use crate::request_type::{RequestType, permit_all};
use crate::served::{self, Served};
use crate::solver::Question::Implies;
use crate::solver::{Answer, DOES_NOT_REPRODUCE, Reason, Session};
use charter_authz::snapshot::Snapshot;

/// So many permits are asked about at once.
const PERMITS_AT_ONCE: usize = 16;
/// So often policies are put back before the question is given up.
const MAX_ROUNDS: usize = 100;

/// Both sets.
pub(super) struct Sides<'a> {
    pub(super) schema: &'a Schema,
    pub(super) old: Side<'a>,
    pub(super) new: Side<'a>,
    /// What both have, word for word.
    alike: BTreeSet<PolicyId>,
}

/// One set.
pub(super) struct Side<'a> {
    snapshot: &'a Snapshot,
    pub(super) policies: Vec<&'a Policy>,
}

impl<'a> Sides<'a> {
    pub(super) fn new(old: &'a Snapshot, new: &'a Snapshot, schema: &'a Schema) -> Self {
        let text = |policy: &Policy| policy.to_cedar();
        let known: BTreeMap<&PolicyId, Option<String>> = old
            .policies()
            .policies()
            .map(|policy| (policy.id(), text(policy)))
            .collect();
        let alike = new
            .policies()
            .policies()
            .filter(|policy| {
                let text = text(policy);
                text.is_some() && known.get(policy.id()) == Some(&text)
            })
            .map(|policy| policy.id().clone())
            .collect();
        Self {
            schema,
            old: Side::new(old),
            new: Side::new(new),
            alike,
        }
    }

    /// What becomes of one kind of request.
    pub(super) fn compare(
        &self,
        request_type: &RequestType<'_>,
        old: &[&'a Policy],
        session: &mut Session<'_>,
    ) -> Compared {
        let new: Vec<&Policy> = relevant(&self.new.policies, request_type);
        let alike = self.alike(old, &new);
        let is_alike = |policy: &&Policy| alike.contains(policy.id());
        if old.len() == new.len() && old.iter().all(is_alike) && new.iter().all(is_alike) {
            return Compared::default();
        }
        let mut compared = Compared::default();
        for widening in [true, false] {
            let (from, to) = if widening {
                (old, &new[..])
            } else {
                (&new[..], old)
            };
            let question = Question {
                sides: self,
                request_type,
                widening,
                from: Half::new(from, &alike),
                to: Half::new(to, &alike),
                alike: &alike,
            };
            let change = question.ask(session).map(|found| Change {
                request_type: request_type.title(),
                reason: found.as_ref().err().cloned(),
                example: found.ok(),
            });
            if widening {
                compared.wider = change;
            } else {
                compared.narrower = change;
            }
        }
        compared
    }

    /// What both have a say in, word for word. Where only one side may be asked, that is nothing,
    /// though the policies be the same.
    fn alike(&self, old: &[&Policy], new: &[&Policy]) -> BTreeSet<PolicyId> {
        let ids = |policies: &[&Policy]| -> BTreeSet<PolicyId> {
            policies.iter().map(|policy| policy.id().clone()).collect()
        };
        let (old, new) = (ids(old), ids(new));
        old.into_iter()
            .filter(|id| new.contains(id) && self.alike.contains(id))
            .collect()
    }
}

/// Those whose scope fits.
pub(super) fn relevant<'a>(
    policies: &[&'a Policy],
    request_type: &RequestType<'_>,
) -> Vec<&'a Policy> {
    let policies = policies.iter().copied();
    policies
        .filter(|policy| request_type.may_match(policy))
        .collect()
}

impl<'a> Side<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            policies: snapshot.policies().policies().collect(),
            snapshot,
        }
    }

    /// What the old side has beside its policies comes from its schema.
    fn named(&self, policy: &str) -> Named {
        let mut named = Named::new(policy, self.snapshot.location(policy));
        if self.snapshot.location(policy).is_none() {
            "old schema".clone_into(&mut named.place);
        }
        named
    }

    fn deciding(&self, served: &Served) -> Vec<Named> {
        let mut deciding: Vec<Named> = served.by.iter().map(|id| self.named(id.as_ref())).collect();
        deciding.sort();
        deciding
    }
}

/// What became of one kind of request.
#[derive(Default)]
pub(super) struct Compared {
    pub(super) wider: Option<Change>,
    pub(super) narrower: Option<Change>,
}

/// One side of a question, sorted.
struct Half<'a> {
    all: Vec<&'a Policy>,
    changed_permits: Vec<&'a Policy>,
    other_permits: Vec<&'a Policy>,
    changed_forbids: Vec<&'a Policy>,
    other_forbids: Vec<&'a Policy>,
}

impl<'a> Half<'a> {
    fn new(policies: &[&'a Policy], alike: &BTreeSet<PolicyId>) -> Self {
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

/// Does `to` allow what `from` does not?
struct Question<'q, 'a> {
    sides: &'q Sides<'a>,
    request_type: &'q RequestType<'q>,
    /// Whether `to` is the new set.
    widening: bool,
    /// What both halves have, word for word.
    alike: &'q BTreeSet<PolicyId>,
    from: Half<'a>,
    to: Half<'a>,
}

/// An example, or why there may be one.
type Found = Result<Example, Reason>;

impl<'a> Question<'_, 'a> {
    /// `None` if it certainly does not.
    fn ask(&self, session: &mut Session<'_>) -> Option<Found> {
        self.try_to_ask(session)
            .unwrap_or_else(|reason| Some(Err(reason.into())))
    }

    fn try_to_ask(&self, session: &mut Session<'_>) -> Result<Option<Found>, String> {
        let everything = permit_all()?;
        let mut open: Option<Reason> = None;
        // Permits that only one side has, or has otherwise.
        for permits in self.to.changed_permits.chunks(PERMITS_AT_ONCE) {
            let target = self.from.changed_permits.clone();
            match self.implied(permits, target, session)? {
                Some(Ok(example)) => return Ok(Some(Ok(example))),
                Some(Err(reason)) => open = Some(reason.or(open)),
                None => {}
            }
        }
        // Permits that both have allow more only where a forbid is gone.
        if !self.from.changed_forbids.is_empty() && !self.to.other_permits.is_empty() {
            let unguarded = self.compiled(&[&everything], &self.to.changed_forbids)?;
            let target = self.compiled(&[&everything], &self.from.changed_forbids)?;
            let never = session.never(Implies(unguarded, target));
            if !matches!(never, Answer::Holds) {
                for permits in self.to.other_permits.chunks(PERMITS_AT_ONCE) {
                    match self.implied(permits, vec![&everything], session)? {
                        Some(Ok(example)) => return Ok(Some(Ok(example))),
                        Some(Err(reason)) => open = Some(reason.or(open)),
                        None => {}
                    }
                }
            }
        }
        // Forbids that fail deny, too.
        for forbid in &self.from.changed_forbids {
            match self.never_fails(forbid, session)? {
                Some(Ok(example)) => return Ok(Some(Ok(example))),
                Some(Err(reason)) => open = Some(reason.or(open)),
                None => {}
            }
        }
        Ok(open.map(Err))
    }

    /// `None` if this forbid of `from` fails on nothing that `to` allows. Those that both sides
    /// have fail on both.
    fn never_fails(
        &self,
        forbid: &Policy,
        session: &mut Session<'_>,
    ) -> Result<Option<Found>, String> {
        let Some(sound) = served::where_it_does_not_fail(forbid, self.request_type)? else {
            return Ok(None);
        };
        let mut others = self.to.changed_forbids.iter();
        if others.any(|other| served::ask_the_same(forbid, other)) {
            return Ok(None);
        }
        let sound = self.compiled(&[&sound], &[])?;
        let (whole_from, whole_to) = (self.from.set()?, self.to.set()?);
        let permits = [&self.to.changed_permits[..], &self.to.other_permits].concat();
        let forbids = [&self.to.changed_forbids[..], &self.to.other_forbids].concat();
        let mut open: Option<Reason> = None;
        for permits in permits.chunks(PERMITS_AT_ONCE) {
            let to = self.compiled(permits, &forbids)?;
            let reason = match session.never(Implies(to, Arc::clone(&sound))) {
                Answer::Holds => continue,
                Answer::Open(reason) => reason,
                Answer::Fails(env) => {
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

    /// `None` if `from` allows, by the target or by what has to be added to it, whatever these
    /// permits allow in `to`.
    fn implied<'t>(
        &self,
        permits: &[&'a Policy],
        mut target: Vec<&'t Policy>,
        session: &mut Session<'_>,
    ) -> Result<Option<Found>, String>
    where
        'a: 't,
    {
        let (whole_from, whole_to) = (self.from.set()?, self.to.set()?);
        // Forbids of both sides: what they deny is denied by both.
        let mut shared: Vec<&Policy> = Vec::new();
        for _ in 0..MAX_ROUNDS {
            let with = |forbids: &[&'a Policy], shared: &[&'a Policy]| [forbids, shared].concat();
            let some_shared: Vec<&'a Policy> = self.shared(&shared);
            let to = self.compiled(permits, &with(&self.to.changed_forbids, &some_shared))?;
            let from = self.compiled(&target, &with(&self.from.changed_forbids, &some_shared))?;
            let env = match session.never(Implies(to, from)) {
                Answer::Holds => return Ok(None),
                Answer::Open(reason) => return Ok(Some(Err(reason))),
                Answer::Fails(env) => env,
            };
            if let Some(example) = self.example(&env, &whole_from, &whole_to) {
                return Ok(Some(Ok(example)));
            }
            let authorizer = Authorizer::new();
            let in_to = authorizer.is_authorized(&env.request, &whole_to, &env.entities);
            let in_from = authorizer.is_authorized(&env.request, &whole_from, &env.entities);
            let before = (target.len(), shared.len());
            if in_to.decision() == Decision::Deny {
                put_back(&mut shared, &self.to.all, &in_to);
            } else if in_from.decision() == Decision::Allow {
                put_back(&mut target, &self.from.all, &in_from);
            }
            if before == (target.len(), shared.len()) {
                return Ok(Some(Err(DOES_NOT_REPRODUCE.into())));
            }
        }
        Ok(Some(Err("too many policies have a say in it".into())))
    }

    /// What both sides have of these.
    fn shared(&self, some: &[&Policy]) -> Vec<&'a Policy> {
        let wanted = |policy: &&Policy| {
            self.alike.contains(policy.id()) && some.iter().any(|p| p.id() == policy.id())
        };
        self.to.all.iter().copied().filter(wanted).collect()
    }

    /// A small request like the solver's that is answered differently.
    fn example(&self, env: &Env, from: &PolicySet, to: &PolicySet) -> Option<Example> {
        let authorizer = Authorizer::new();
        let differs = |request: &Request, entities: &Entities| {
            let in_to = authorizer.is_authorized(request, to, entities);
            let in_from = authorizer.is_authorized(request, from, entities);
            Served::of(&in_to, to).is_allowed
                && !Served::of(&in_from, from).is_allowed
                && !lacks_something(&in_to)
                && !lacks_something(&in_from)
        };
        let world = counterexample::reproduce(env, self.sides.schema, &differs)?;
        let (request, entities) = world.checked(self.sides.schema)?;
        let (old, new) = if self.widening {
            (from, to)
        } else {
            (to, from)
        };
        let served = |set| Served::of(&authorizer.is_authorized(&request, set, &entities), set);
        let (old, new) = (served(old), served(new));
        let deciding: BTreeSet<&PolicyId> = old.by.union(&new.by).collect();
        let concerned = self.from.all.iter().chain(&self.to.all).copied();
        let concerned = concerned
            .filter(|policy| deciding.contains(policy.id()) || !self.alike.contains(policy.id()));
        Some(Example {
            request: Counterexample::new(&world, concerned),
            is_allowed: self.widening,
            old: self.sides.old.deciding(&old),
            new: self.sides.new.deciding(&new),
        })
    }
}

/// Adds the policies that decided and are not there yet.
fn put_back<'a>(known: &mut Vec<&'a Policy>, all: &[&'a Policy], response: &Response) {
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
