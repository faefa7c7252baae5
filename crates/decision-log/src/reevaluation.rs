//! Restores Cedar's input from a record, to evaluate it again.

use cedar_policy::{Context, Entities, Request};

use super::record::{DecisionRecord, RecordedError};
use charter_authz::decision::{Denial, EvaluationError, Outcome, PolicyVerdict};
use charter_authz::json::JsonError;
use charter_authz::snapshot::Snapshot;

/// Cedar's input for a recorded decision, with the actions of a snapshot's schema.
#[derive(Debug)]
pub struct RecordedInputs {
    pub request: Request,
    /// With the schema's actions and groups.
    pub entities: Entities,
}

/// Explains a decision beyond its record, for example which conditions were false.
pub trait ExplainDecision: Send + Sync {
    /// The explanation as JSON. `snapshot` is the one that decided.
    fn explain(
        &self,
        snapshot: &Snapshot,
        request: &Request,
        entities: &Entities,
    ) -> Option<serde_json::Value>;
}

impl DecisionRecord {
    /// The recorded outcome; `None` if it cannot be parsed.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match (self.decision.as_str(), self.reason.as_deref()) {
            ("allow", None) => Some(Outcome::Allow),
            ("deny", Some("not_permitted")) => Some(Outcome::Deny(Denial::NotPermitted)),
            ("deny", Some("forbidden")) => Some(Outcome::Deny(Denial::ForbiddenByPolicy)),
            _ => None,
        }
    }

    /// Whether an answer equals the recorded one, including determining policies and errors.
    #[must_use]
    pub fn is(&self, decision: &PolicyVerdict) -> bool {
        let same_error = |(recorded, now): (&RecordedError, &EvaluationError)| {
            recorded.policy == now.policy && recorded.message == now.message
        };
        self.outcome() == Some(decision.outcome)
            && self.determining == decision.determining
            && self.errors.len() == decision.errors.len()
            && self.errors.iter().zip(&decision.errors).all(same_error)
    }

    /// The request, with a context parsed by [`context`].
    pub fn request(&self, context: Context) -> Result<Request, JsonError> {
        Ok(Request::new(
            self.principal.to_cedar()?,
            self.action.to_cedar()?,
            self.resource.to_cedar()?,
            context,
            None,
        )?)
    }

    /// Why the schema does not allow the question, and so denies it; `None` if it does, and in a domain of one's own,
    /// which records no such question.
    #[must_use]
    pub fn unaskable(&self, snapshot: &Snapshot) -> Option<String> {
        if self.context.is_some() || self.domain.is_some() {
            return None;
        }
        let resource = (self.resource.of.as_str(), self.resource.id.as_str());
        snapshot.unaskable(self.action.id.parse().ok()?, &self.principal.of, resource)
    }

    /// Cedar's input, without a context where the schema does not allow the question; `None` if it could not be
    /// evaluated though the schema allows it.
    ///
    /// # Errors
    ///
    /// The record is not complete, for example because parts are masked.
    pub fn inputs(&self, snapshot: &Snapshot) -> Result<Option<RecordedInputs>, JsonError> {
        let facts = match &self.context {
            Some(facts) => context(facts.get())?,
            None if self.unaskable(snapshot).is_some() => Context::empty(),
            None => return Ok(None),
        };
        Ok(Some(RecordedInputs {
            request: self.request(facts)?,
            entities: entities(self.entities.get(), snapshot)?,
        }))
    }

    /// The explanation by `explain`. `snapshot` must be the one that decided.
    #[must_use]
    pub fn explanation(
        &self,
        explain: &dyn ExplainDecision,
        snapshot: &Snapshot,
    ) -> Option<serde_json::Value> {
        if !self.masked.is_empty() {
            return None;
        }
        let inputs = self.inputs(snapshot).ok().flatten()?;
        explain.explain(snapshot, &inputs.request, &inputs.entities)
    }
}

/// Parses a record's context.
pub fn context(json: &str) -> Result<Context, JsonError> {
    Ok(Context::from_json_str(json, None)?)
}

/// Parses a record's entities and adds the actions of a snapshot's schema.
pub fn entities(json: &str, snapshot: &Snapshot) -> Result<Entities, JsonError> {
    let entities = Entities::from_json_str(json, None)?;
    Ok(snapshot.with_actions(entities.iter().cloned())?)
}
