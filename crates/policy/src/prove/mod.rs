//! Proves, over all requests that the schema allows, what must hold of a policy set: each
//! invariant, that no policy can fail, and that each can match.

mod alive;
pub mod cache;
mod fail;
mod gate;
mod keep;
mod known;
mod look;
pub(super) mod moved;
mod report;
mod shadow;

use std::collections::BTreeMap;

use cedar_policy::{Effect, Policy, PolicySet};
use serde::Serialize;

use super::counterexample::{Counterexample, Named};
use super::request_type::RequestType;
use super::solver::{Budget, Limits, Reason, Solver, spread};
use charter_authz::snapshot::{Invariant, Snapshot};
use charter_domain::clock::Clock;

use cache::ProofCache;
use known::{Key, Known};

pub use gate::{NotProved, prove_for_gate};
pub use shadow::Shadow;

/// What to prove, and how long to try.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Limits of the solver.
    pub limits: Limits,
    /// Also find permits that make no difference, which is slow.
    pub shadows: bool,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Proofs {
    /// What does not hold, or could not be proved; without any, all is proved.
    pub findings: Vec<Finding>,
    /// Permits that make no difference, if that was asked.
    pub shadows: Vec<Shadow>,
    /// How many kinds of request the schema allows.
    pub request_types: usize,
    /// How many policies there are.
    pub policies: usize,
    /// The names of the invariants.
    pub invariants: Vec<String>,
    /// How many claims needed the solver.
    pub questions: usize,
    /// The solver's version.
    pub solver: String,
    /// Whether all this was proved earlier, and only looked up now.
    pub from_cache: bool,
}

impl Proofs {
    /// Whether all was proved.
    #[must_use]
    pub const fn is_proved(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether nothing was found wrong, but there was too little time, or the solver stopped:
    /// another try may prove it.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        !self.is_proved() && self.findings.iter().all(Finding::is_unfinished)
    }
}

impl Finding {
    const fn is_unfinished(&self) -> bool {
        match &self.verdict {
            Verdict::NotProved { reason } => reason.is_unfinished(),
            Verdict::Refuted { .. } | Verdict::Never => false,
        }
    }
}

/// A claim that does not hold, or is open.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What was to be proved.
    pub claim: Claim,
    /// For which kind of request; all of them if it is not said.
    pub request_type: Option<String>,
    /// For how many more kinds of request the same may be wrong.
    pub and_more: usize,
    /// What is wrong.
    pub verdict: Verdict,
}

/// What is to be proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Claim {
    /// Whatever is allowed, an invariant allows.
    Invariant {
        /// The file's name without its extension.
        name: String,
        /// Whether it is the one that was in force when the service started.
        at_start: bool,
    },
    /// A policy can be evaluated for each request.
    NeverErrors {
        /// Which.
        policy: Named,
    },
    /// A policy matches some request.
    CanMatch {
        /// Which.
        policy: Named,
        /// Whether it is a forbid.
        forbid: bool,
    },
    /// Anything at all.
    Everything,
}

/// What is wrong with a claim.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Verdict {
    /// There is a request for which it does not hold. It was tried.
    Refuted {
        /// The request.
        counterexample: Box<Counterexample>,
        /// The policies that decide it.
        by: Vec<Named>,
    },
    /// It holds for none.
    Never,
    /// Not known, which is as bad.
    NotProved {
        /// Why.
        reason: Reason,
    },
}

/// Proves all there is to prove of a snapshot: its own invariants, and those of what was in force
/// at start, which must also mean what they meant. It takes threads of its own and waits for them.
#[must_use]
pub fn prove(
    snapshot: &Snapshot,
    at_start: Option<&Snapshot>,
    solver: &Solver,
    options: &Options,
    clock: &dyn Clock,
) -> Proofs {
    prove_with(snapshot, at_start, solver, options, None, clock)
}

/// The same; what was proved before is not asked again, and what is proved now is kept.
fn prove_with(
    snapshot: &Snapshot,
    at_start: Option<&Snapshot>,
    solver: &Solver,
    options: &Options,
    cache: Option<&ProofCache>,
    clock: &dyn Clock,
) -> Proofs {
    let budget = Budget::start(solver, options.limits, clock);
    let promised = at_start.map_or(&[][..], Snapshot::invariants);
    let invariants = to_prove(snapshot.invariants(), promised);
    let mut proofs = Proofs {
        findings: Vec::new(),
        shadows: Vec::new(),
        request_types: 0,
        policies: snapshot.policies().policies().count(),
        invariants: invariants
            .iter()
            .map(|i| i.invariant.name.clone())
            .collect(),
        questions: 0,
        solver: solver.version().to_owned(),
        from_cache: false,
    };
    let known = Known::load(cache, snapshot, solver);
    let proved = prove_into(&mut proofs, snapshot, &invariants, &known, &budget, options);
    known.save(proved.is_ok() && !proofs.is_unfinished());
    let moved = at_start.map_or(Ok(Vec::new()), |at_start| moved::moved(at_start, snapshot));
    let moved = proved.and(moved).map(|moved| proofs.findings.extend(moved));
    if let Err(reason) = moved {
        proofs.findings.push(Finding {
            claim: Claim::Everything,
            request_type: None,
            and_more: 0,
            verdict: Verdict::NotProved { reason },
        });
    }
    proofs
}

fn prove_into(
    proofs: &mut Proofs,
    snapshot: &Snapshot,
    invariants: &[ToProve<'_>],
    known: &Known<'_>,
    budget: &Budget<'_>,
    options: &Options,
) -> Result<(), Reason> {
    let types = RequestType::all(snapshot.schema())?;
    proofs.request_types = types.len();
    let subject = Subject::new(snapshot, invariants, known);
    let looked = spread(budget, types.len(), |session, index| {
        types
            .get(index)
            .map(|request_type| look::look(&subject, request_type, index, session))
            .unwrap_or_default()
    })?;
    proofs.questions += looked.questions;
    let looked = looked.results;
    look::keep_what_was_seen(&subject, &looked);
    // A process that checks may be ended in the middle.
    known.save(false);
    let each = spread(budget, subject.policies.len(), |session, index| {
        [
            fail::fail(&subject, &types, &looked, index, session),
            alive::alive(&subject, &types, &looked, index, session),
        ]
    })?;
    proofs.questions += each.questions;
    if options.shadows {
        let shadows = spread(budget, subject.policies.len(), |session, index| {
            shadow::shadow(&subject, &types, &looked, index, session)
        })?;
        proofs.questions += shadows.questions;
        proofs.shadows = shadows.results.into_iter().flatten().collect();
    }
    proofs.findings = looked
        .into_iter()
        .flat_map(|looked| looked.findings)
        .chain(each.results.into_iter().flatten().flatten())
        .collect();
    // A policy that may fail first: if it is a forbid, what it guards is open.
    proofs.findings.sort_by_key(|finding| match finding.claim {
        Claim::NeverErrors { .. } => 0,
        Claim::Invariant { .. } => 1,
        Claim::CanMatch { .. } => 2,
        Claim::Everything => 3,
    });
    Ok(())
}

/// An invariant, and where it comes from.
struct ToProve<'a> {
    invariant: &'a Invariant,
    at_start: bool,
}

/// An invariant that is in force and in the folder alike is proved once.
fn to_prove<'a>(own: &'a [Invariant], at_start: &'a [Invariant]) -> Vec<ToProve<'a>> {
    let known: BTreeMap<&str, Vec<String>> =
        own.iter().map(|i| (i.name.as_str(), text(i))).collect();
    let at_start = at_start
        .iter()
        .filter(|earlier| known.get(earlier.name.as_str()) != Some(&text(earlier)))
        .map(|invariant| ToProve {
            invariant,
            at_start: true,
        });
    let own = own.iter().map(|invariant| ToProve {
        invariant,
        at_start: false,
    });
    own.chain(at_start).collect()
}

/// An invariant's policies, in one order.
fn text(invariant: &Invariant) -> Vec<String> {
    let mut policies: Vec<_> = invariant.policies.policies().collect();
    policies.sort_by(|one, other| one.id().cmp(other.id()));
    let text = |policy: &Policy| policy.to_cedar().unwrap_or_default();
    policies.into_iter().map(text).collect()
}

/// The set that is looked at.
struct Subject<'a> {
    snapshot: &'a Snapshot,
    /// Forbids first, then by id.
    policies: Vec<&'a Policy>,
    /// The name of each one's text.
    texts: Vec<Key>,
    /// What was seen of each before, for each kind of request.
    seen: Vec<Vec<u8>>,
    invariants: &'a [ToProve<'a>],
    known: &'a Known<'a>,
}

impl<'a> Subject<'a> {
    fn new(snapshot: &'a Snapshot, invariants: &'a [ToProve<'a>], known: &'a Known<'a>) -> Self {
        let mut policies: Vec<&Policy> = snapshot.policies().policies().collect();
        policies.sort_by_cached_key(|policy| {
            (policy.effect() == Effect::Permit, policy.id().to_string())
        });
        let texts: Vec<Key> = policies.iter().map(|policy| name_of(policy)).collect();
        let seen = texts
            .iter()
            .map(|text| {
                known
                    .get(&known.key(look::SEEN, &[*text]))
                    .unwrap_or_default()
            })
            .collect();
        Self {
            snapshot,
            policies,
            texts,
            seen,
            invariants,
            known,
        }
    }

    /// The name of a claim about one policy.
    fn key_of(&self, claim: &str, index: usize) -> Option<Key> {
        let text = self.texts.get(index)?;
        Some(self.known.key(claim, &[*text]))
    }

    fn named(&self, policy: &str) -> Named {
        Named::new(policy, self.snapshot.location(policy))
    }
}

/// The name of a policy's text.
fn name_of(policy: &Policy) -> Key {
    known::hash(&[&policy.to_cedar().unwrap_or_else(|| policy.to_string())])
}

/// A set of some policies.
fn set<'p>(policies: impl IntoIterator<Item = &'p Policy>) -> Result<PolicySet, String> {
    PolicySet::from_policies(policies.into_iter().cloned()).map_err(|error| error.to_string())
}
