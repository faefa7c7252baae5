//! A request that shows that a claim is wrong: tried out by evaluation before anybody is told,
//! small, and in words.

mod minimise;
mod text;
mod world;
mod written;

use cedar_policy::{Policy, Schema};
use cedar_policy_symcc::Env;
use serde::Serialize;
use serde_json::{Value, json};

pub(super) use minimise::Shows;
pub(super) use world::{World, lacks_something};

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
    pub(super) fn new(policy: &str, place: Option<&SourceLocation>) -> Self {
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

/// The smallest world like the solver's that shows it; `None` if the solver's own does not.
pub(super) fn reproduce(env: &Env, schema: &Schema, shows: Shows<'_>) -> Option<World> {
    minimise::minimise(World::of(env)?, schema, shows)
}

impl Counterexample {
    /// `concerned` are the policies whose words are worth showing.
    pub(super) fn new<'p>(world: &World, concerned: impl Iterator<Item = &'p Policy>) -> Self {
        let words = text::words(concerned);
        let all = world
            .entities
            .iter()
            .filter_map(|entity| text::thing(entity, &words));
        let things = text::told(
            all.collect(),
            &[world.principal.to_string(), world.resource.to_string()],
        );
        Self {
            principal: world.principal.to_string(),
            action: world.action.to_string(),
            resource: world.resource.to_string(),
            context: text::fields(&world.context, &words),
            things,
            request: json!({
                "principal": world.principal.to_string(),
                "action": world.action.to_string(),
                "resource": world.resource.to_string(),
                "context": world.context,
            }),
            entities: Value::Array(world.entities.clone()),
        }
    }

    /// Several lines, each with two spaces in front.
    #[must_use]
    pub fn text(&self) -> String {
        text::write(self)
    }
}
