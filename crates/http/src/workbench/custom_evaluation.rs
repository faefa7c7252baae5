//! `POST /policies/evaluation` with a `domain`.

use serde_json::{Map, Value};

use charter_authz::custom_domain::{CustomDomain, Facts, Unasked};
use charter_authz::decision::Outcome;

use super::admission::OperatorRequest;
use super::answer::EvaluationAnswer;
use super::custom_question::{self, ChosenDomain};
use super::work;
use crate::access::custom;
use crate::access::question::{Question, QuestionParts};
use crate::extract::fields::Fields;
use crate::respond::ApiError;
use crate::state::State;

/// Explains one question, which is worded as the decision point takes it.
pub(super) async fn evaluate(
    body: Map<String, Value>,
    asked: &OperatorRequest,
) -> Result<EvaluationAnswer, ApiError> {
    let question = QuestionParts::read(&body)?.question()?;
    let question = custom::respelled(&question);
    let chosen = ChosenDomain::read(Fields::new(body), &asked.state)?;
    let operator = asked.operator();
    let facts = custom_question::facts(&operator, &question.subject, &question.resource).await?;
    let (by, domain) = chosen.load(&asked.state).await?;
    let answer = work::run(&asked.state, move |state| {
        let answer = explained(state, by, &domain, &question, &facts);
        // Here, since a large folder takes a while to be dropped.
        drop(domain);
        answer
    });
    answer.await?
}

fn explained(
    state: &State,
    by: &'static str,
    domain: &CustomDomain,
    question: &Question,
    facts: &Facts,
) -> Result<EvaluationAnswer, ApiError> {
    let snapshot = domain.snapshot();
    let answered = match domain.answer(&custom::worded(question, &[facts])) {
        Ok(answered) => answered,
        Err(Unasked::Unknown(reason)) => {
            return Ok(EvaluationAnswer::unasked(by, snapshot, reason));
        }
        Err(Unasked::Bad(bad)) => return Err(custom::refused(&bad)),
    };
    let (request, entities) = (&answered.request, &answered.entities);
    let explanation = state.explain.explain(snapshot, request, entities);
    let is_allowed = answered.verdict.outcome == Outcome::Allow;
    Ok(EvaluationAnswer::asked(
        by,
        snapshot,
        is_allowed,
        explanation,
    ))
}
