//! A counterexample as it is shown to a reader.

use serde::Serialize;
use serde_json::Value;

use charter_authz::source::SourceLocation;

/// A request with the data that matters for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counterexample {
    /// Who asks.
    pub principal: String,
    /// What is asked for.
    pub action: String,
    /// What it is asked about.
    pub resource: String,
    /// The context attributes that the concerned policies read.
    pub context: Vec<(String, String)>,
    /// The entities that they read.
    pub things: Vec<EntityState>,
    /// The whole request, in the format of the Cedar CLI's `--request-json`.
    pub request: Value,
    /// All entities, in the format of the Cedar CLI's `--entities`.
    pub entities: Value,
}

/// The relevant part of an entity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntityState {
    /// Type and id.
    pub uid: String,
    /// Its parents.
    pub parents: Vec<String>,
    /// Attributes by name.
    pub attributes: Vec<(String, String)>,
    /// Tags by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<(String, String)>,
}

/// A policy with its source location.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LocatedPolicy {
    /// Its `@id`.
    pub policy: String,
    /// For example `roles.cedar:12`.
    pub place: String,
}

impl LocatedPolicy {
    pub(crate) fn new(policy: &str, place: Option<&SourceLocation>) -> Self {
        Self {
            policy: policy.to_owned(),
            place: place.map_or_else(|| "?".to_owned(), ToString::to_string),
        }
    }
}

impl std::fmt::Display for LocatedPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.policy, self.place)
    }
}
