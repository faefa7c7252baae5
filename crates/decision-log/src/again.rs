//! From a record back to what Cedar was given, for who asks again.

use cedar_policy::{Context, Entities, Request};

use super::read::{Record, RecordedError};
use charter_authz::decision::{Decision, Denial, EvaluationError, Outcome};
use charter_authz::json::JsonError;
use charter_authz::snapshot::Snapshot;
use charter_domain::permission::Permission;

/// What Cedar was given for a recorded decision, with the actions of some snapshot's schema.
#[derive(Debug)]
pub struct Inputs {
    /// What was asked for.
    pub permission: Permission,
    /// The request.
    pub request: Request,
    /// The entities, with the schema's actions and groups.
    pub entities: Entities,
}

/// Tells more about a decision than its record says: which conditions were false, for example.
pub trait Explain: Send + Sync {
    /// The explanation as JSON; `None` if there is none. `snapshot` is the one that decided.
    fn explain(
        &self,
        snapshot: &Snapshot,
        request: &Request,
        entities: &Entities,
    ) -> Option<serde_json::Value>;
}

impl Record {
    /// The recorded answer; `None` if it is none.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match (self.decision.as_str(), self.reason.as_deref()) {
            ("allow", None) => Some(Outcome::Allow),
            ("deny", Some("not_permitted")) => Some(Outcome::Deny(Denial::NotPermitted)),
            ("deny", Some("forbidden")) => Some(Outcome::Deny(Denial::ForbiddenByPolicy)),
            _ => None,
        }
    }

    /// Whether a decision is the recorded one, with the same determining policies and errors.
    #[must_use]
    pub fn is(&self, decision: &Decision) -> bool {
        let same_error = |(recorded, now): (&RecordedError, &EvaluationError)| {
            recorded.policy == now.policy && recorded.message == now.message
        };
        self.outcome() == Some(decision.outcome)
            && self.determining == decision.determining
            && self.errors.len() == decision.errors.len()
            && self.errors.iter().zip(&decision.errors).all(same_error)
    }

    /// The request, with a context that was read by [`context`].
    ///
    /// # Errors
    ///
    /// A name in it is none.
    pub fn request(&self, context: Context) -> Result<Request, JsonError> {
        Ok(Request::new(
            self.principal.to_cedar()?,
            self.action.to_cedar()?,
            self.resource.to_cedar()?,
            context,
            None,
        )?)
    }

    /// All that Cedar was given; `None` where the question could not be put.
    ///
    /// # Errors
    ///
    /// The record does not hold what records hold, as when parts of it are masked.
    pub fn inputs(&self, snapshot: &Snapshot) -> Result<Option<Inputs>, JsonError> {
        let Some(facts) = &self.context else {
            return Ok(None);
        };
        Ok(Some(Inputs {
            permission: self.action.id.parse()?,
            request: self.request(context(facts.get())?)?,
            entities: entities(self.entities.get(), snapshot)?,
        }))
    }

    /// What `explain` says of it, asking `snapshot`, which must be the one that decided.
    #[must_use]
    pub fn explanation(
        &self,
        explain: &dyn Explain,
        snapshot: &Snapshot,
    ) -> Option<serde_json::Value> {
        if !self.masked.is_empty() {
            return None;
        }
        let inputs = self.inputs(snapshot).ok().flatten()?;
        explain.explain(snapshot, &inputs.request, &inputs.entities)
    }
}

/// Reads a record's context.
///
/// # Errors
///
/// It is none.
pub fn context(json: &str) -> Result<Context, JsonError> {
    Ok(Context::from_json_str(json, None)?)
}

/// Reads a record's entities and adds the actions of a snapshot's schema.
///
/// # Errors
///
/// They are none.
pub fn entities(json: &str, snapshot: &Snapshot) -> Result<Entities, JsonError> {
    let entities = Entities::from_json_str(json, None)?;
    Ok(snapshot.with_actions(entities.iter().cloned())?)
}
