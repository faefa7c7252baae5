//! A decision evaluates only the policies that can matter. That must never show: the whole set,
//! evaluated policy by policy, gives the same answer for the same reasons; and what the gates let
//! through can be evaluated on the stack that serves.

mod asked;
mod changing;
mod expressions;
mod written;

use std::collections::{BTreeSet, HashMap};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use cedar_policy::{Authorizer, Effect, Request, Response};
use charter_authz::decision::{Decision, Denial, Outcome};
use charter_authz::depth::EVALUATION_STACK_BYTES;
use charter_authz::folder::Folder;
use charter_authz::principal::Principal;
use charter_authz::question::Question;
use charter_authz::resource::Resource;
use charter_authz::snapshot::Snapshot;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use test_support::policy_world::shipped;

use asked::{World, facts};
use changing::Changing;
use expressions::EXTENSIONS;
use written::{OVERFLOWING, Random, random};

fn pick<'a, T>(rng: &mut StdRng, choices: &'a [T]) -> &'a T {
    &choices[rng.random_range(0..choices.len())]
}

/// What the rule of the house makes of Cedar's own response.
fn expected(snapshot: &Snapshot, response: &Response) -> (Outcome, Vec<String>, Vec<String>) {
    let mut reasons: Vec<String> = response
        .diagnostics()
        .reason()
        .map(ToString::to_string)
        .collect();
    reasons.sort();
    let mut errors: Vec<_> = response
        .diagnostics()
        .errors()
        .map(|error| {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            error.policy_id().clone()
        })
        .collect();
    errors.sort();
    let errored_forbids: Vec<String> = errors
        .iter()
        .filter(|id| {
            let policy = snapshot.policies().policy(id).expect("the policy");
            policy.effect() == Effect::Forbid
        })
        .map(ToString::to_string)
        .collect();
    let errors = errors.iter().map(ToString::to_string).collect();
    match response.decision() {
        cedar_policy::Decision::Allow if errored_forbids.is_empty() => {
            (Outcome::Allow, reasons, errors)
        }
        cedar_policy::Decision::Allow => (
            Outcome::Deny(Denial::ForbiddenByPolicy),
            errored_forbids,
            errors,
        ),
        cedar_policy::Decision::Deny if reasons.is_empty() => {
            (Outcome::Deny(Denial::NotPermitted), reasons, errors)
        }
        cedar_policy::Decision::Deny => (Outcome::Deny(Denial::ForbiddenByPolicy), reasons, errors),
    }
}

fn actual(decision: Decision) -> (Outcome, Vec<String>, Vec<String>) {
    let errors = decision
        .errors
        .into_iter()
        .map(|error| error.policy)
        .collect();
    (decision.outcome, decision.determining, errors)
}

/// How often each kind of answer was seen.
#[derive(Debug, Default)]
struct Seen {
    allowed: usize,
    not_permitted: usize,
    forbidden: usize,
    with_errors: usize,
    /// The one who asks is what it is about.
    about_itself: usize,
    /// It was not evaluated: the outcome of an equal question was kept.
    remembered: usize,
    /// The same was asked by the same credential before, and answered differently.
    changed: usize,
    /// Policies that the gates refuse.
    refused: usize,
    /// Extension functions that some policy has.
    extensions: BTreeSet<&'static str>,
}

impl Seen {
    fn note(&mut self, request: &Request, decision: &Decision) {
        match decision.outcome {
            Outcome::Allow => self.allowed += 1,
            Outcome::Deny(Denial::NotPermitted) => self.not_permitted += 1,
            Outcome::Deny(Denial::ForbiddenByPolicy) => self.forbidden += 1,
        }
        self.with_errors += usize::from(!decision.errors.is_empty());
        self.about_itself += usize::from(request.principal() == request.resource());
    }

    fn add(mut self, other: &Self) -> Self {
        self.allowed += other.allowed;
        self.not_permitted += other.not_permitted;
        self.forbidden += other.forbidden;
        self.with_errors += other.with_errors;
        self.about_itself += other.about_itself;
        self.remembered += other.remembered;
        self.changed += other.changed;
        self.refused += other.refused;
        self.extensions.extend(&other.extensions);
        self
    }

    const fn asked(&self) -> usize {
        self.allowed + self.not_permitted + self.forbidden
    }

    #[track_caller]
    fn assert_each_more_often_than(&self, times: usize) {
        let rarest = [
            self.allowed,
            self.not_permitted,
            self.forbidden,
            self.with_errors,
            self.about_itself,
            self.remembered,
            self.changed,
        ]
        .into_iter()
        .min();
        assert!(rarest > Some(times) && self.refused > 0, "{self:?}");
        assert_eq!(self.extensions.len(), EXTENSIONS.len(), "{self:?}");
    }
}

/// Asks so many questions of each of so many folders, a folder at a time on each core.
fn compare(folders: u64, questions: usize) -> Seen {
    let next = AtomicU64::new(0);
    let folder = Folder::read(&shipped()).expect("the shipped folder");
    let snapshot = Snapshot::from_folder(&folder).expect("the shipped policies");
    let work = || {
        let mut seen = Seen::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= folders {
                return seen;
            }
            seen = seen.add(&compare_one(number, questions, (&folder, &snapshot)));
        }
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let as_in_the_service = || thread::Builder::new().stack_size(EVALUATION_STACK_BYTES);
    thread::scope(|scope| {
        let start = |_| {
            as_in_the_service()
                .spawn_scoped(scope, work)
                .expect("a thread")
        };
        let running: Vec<_> = (0..cores).map(start).collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("no difference"))
            .fold(Seen::default(), |sum, seen| sum.add(&seen))
    })
}

fn compare_one(number: u64, questions: usize, shipped: (&Folder, &Snapshot)) -> Seen {
    let mut rng = StdRng::seed_from_u64(number);
    let Random {
        snapshot: one,
        text,
        refused,
    } = random(&mut rng, shipped);
    let other = Snapshot::updated_from(shipped.1, shipped.0).expect("the shipped policies");
    let has = |function: &&'static str| text.contains(*function);
    let mut seen = Seen {
        refused,
        extensions: EXTENSIONS.into_iter().filter(has).collect(),
        ..Seen::default()
    };
    let world = World::random(&mut rng, &one);
    while seen.asked() < questions / 2 {
        let question = of_own_records(world.question(&mut rng));
        // What is kept of an answer must not answer what the facts of the request change.
        let (source_ip, now) = facts(&mut rng);
        let _ = one.decide(&Question {
            source_ip,
            now,
            ..question
        });
        let at = || format!("folder {number}, {text}");
        check(&one, &question, question.principal, &mut seen, at);
    }
    compare_changing(
        (number, &text),
        &mut rng,
        (one, other),
        questions,
        &mut seen,
    );
    seen
}

/// What is kept beside records and policies goes with them: now these policies are in force, now the shipped ones.
fn compare_changing(
    (number, text): (u64, &str),
    rng: &mut StdRng,
    (in_force, other): (Snapshot, Snapshot),
    questions: usize,
    seen: &mut Seen,
) {
    let mut changing = Changing::new(rng, in_force, other);
    let mut answered = HashMap::new();
    while seen.asked() < questions {
        changing.change(rng);
        let snapshot = changing.snapshot();
        let [kept, fresh] = changing.asker(rng, &snapshot);
        let question = changing.question(rng, &kept);
        let at = || format!("folder {number}, amid changes, {text}");
        let Some(decision) = check(&snapshot, &question, &fresh, seen, at) else {
            continue;
        };
        let asked = (kept.kind(), question.permission);
        let before = answered.insert(asked, decision.outcome);
        seen.changed += usize::from(before.is_some_and(|before| before != decision.outcome));
    }
}

/// Compares a decision with what Cedar makes of the whole set and of the records of `fresh`. `None`
/// if the schema does not allow the question.
fn check(
    snapshot: &Snapshot,
    question: &Question<'_>,
    fresh: &Principal,
    seen: &mut Seen,
    at: impl Fn() -> String,
) -> Option<Arc<Decision>> {
    let decision = snapshot.decide(question);
    let again = snapshot.decide(question);
    seen.remembered += usize::from(Arc::ptr_eq(&decision, &again));
    assert_eq!(again, decision, "{}", at());
    assert_eq!(
        snapshot.decide_with_inputs(question).0,
        decision,
        "{}",
        at()
    );
    let fresh = Question {
        principal: fresh,
        ..*question
    };
    let given = snapshot.given(&fresh).expect("inputs that can be built");
    let Some((request, entities)) = given else {
        assert_eq!(decision.outcome, Outcome::Deny(Denial::NotPermitted));
        return None;
    };
    seen.note(&request, &decision);
    let at = || format!("{}, {request}, {:?}", at(), question.principal.caller());
    for error in &decision.errors {
        assert!(error.policy.starts_with(OVERFLOWING), "{error:?}: {}", at());
    }
    let again = snapshot.decide_request(question.permission, &request, &entities);
    assert_eq!(again, *decision, "asked again: {}", at());
    let whole = Authorizer::new().is_authorized(&request, snapshot.policies(), &entities);
    assert_eq!(
        actual((*decision).clone()),
        expected(snapshot, &whole),
        "{}",
        at()
    );
    Some(decision)
}

/// The caller's organization as its own records have it: only then is an answer kept.
fn of_own_records(question: Question<'_>) -> Question<'_> {
    let own = question.principal.caller().organization();
    match question.resource {
        Resource::Organization(asked) if asked.id == own.id => Question {
            resource: Resource::Organization(own),
            ..question
        },
        _ => question,
    }
}

#[test]
fn the_policies_of_one_action_decide_as_the_whole_set() {
    compare(12, 100).assert_each_more_often_than(15);
}

#[test]
#[ignore = "minutes: a million random questions"]
fn the_policies_of_one_action_decide_as_the_whole_set_in_full() {
    let seen = compare(1_000, 1_000);
    println!("{} questions, no difference: {seen:?}", seen.asked());
    seen.assert_each_more_often_than(20_000);
}
