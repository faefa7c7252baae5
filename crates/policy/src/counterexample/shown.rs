//! What a reader is shown of a request.

use serde::Serialize;
use serde_json::Value;

use charter_authz::source::SourceLocation;

/// One request, with all that matters about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counterexample {
    /// Who asks.
    pub principal: String,
    /// For what.
    pub action: String,
    /// About what.
    pub resource: String,
    /// What the policies that are concerned read of the context, by name.
    pub context: Vec<(String, String)>,
    /// What they read of the things involved.
    pub things: Vec<Thing>,
    /// The whole request, in the form of the Cedar CLI's `--request-json`.
    pub request: Value,
    /// All entities, in the form of the Cedar CLI's `--entities`.
    pub entities: Value,
}

/// What matters of one entity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Thing {
    /// Its type and id.
    pub uid: String,
    /// What it is in.
    pub parents: Vec<String>,
    /// Attributes, by name.
    pub attributes: Vec<(String, String)>,
    /// Tags, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<(String, String)>,
}

/// A policy, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Named {
    /// Its `@id`.
    pub policy: String,
    /// As in `roles.cedar:12`.
    pub place: String,
}

impl Named {
    pub(crate) fn new(policy: &str, place: Option<&SourceLocation>) -> Self {
        Self {
            policy: policy.to_owned(),
            place: place.map_or_else(|| "?".to_owned(), ToString::to_string),
        }
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.policy, self.place)
    }
}
