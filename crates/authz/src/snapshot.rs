//! One immutable policy set with its schema: what a request is decided by from start to end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy::entities_errors::EntitiesError;
use cedar_policy::{Authorizer, Entities, Entity, PolicyId, PolicySet, Schema};

use super::catalogue::Catalogue;
use super::facts::FactsCache;
use super::failures::{Failure, Failures};
use super::index::Index;
use super::source::{Source, SourceLocation};
use charter_domain::timestamp::Timestamp;

/// A file of policies, as it was read.
#[derive(Debug)]
pub(super) struct PolicyFile {
    pub(super) source: Source,
    /// The `@id`s of its policies.
    pub(super) policies: Vec<PolicyId>,
}

/// What must hold whatever anybody edits: each request that the policies allow, it allows, too.
#[derive(Debug, Clone)]
pub struct Invariant {
    /// The file's name without its extension.
    pub name: String,
    /// Its policies; they are never evaluated for a request.
    pub policies: PolicySet,
    /// By `@id`.
    pub locations: BTreeMap<String, SourceLocation>,
}

/// Policies, schema and digest, checked and ready to decide.
#[derive(Debug)]
pub struct Snapshot {
    pub(super) schema: Schema,
    pub(super) schema_source: Source,
    pub(super) schema_digest: Arc<str>,
    /// By file name.
    pub(super) sources: BTreeMap<String, PolicyFile>,
    pub(super) policies: PolicySet,
    /// By `@id`.
    pub(super) locations: BTreeMap<String, SourceLocation>,
    pub(super) invariants: Vec<Invariant>,
    pub(super) index: Index,
    pub(super) catalogue: Catalogue,
    pub(super) attributes: BTreeSet<String>,
    /// Every action and group of the schema: without them `action in Action::"reads"` is false.
    pub(super) actions: Entities,
    pub(super) digest: Arc<str>,
    pub(super) facts: FactsCache,
    pub(super) failures: Failures,
    pub(super) authorizer: Authorizer,
}

impl Snapshot {
    /// The name of the file that a policy of this `@id` is in.
    pub fn file_of(&self, policy: &str) -> Option<&str> {
        self.location(policy).map(|location| location.file.as_str())
    }

    /// Where the policy of this `@id` stands.
    pub fn location(&self, policy: &str) -> Option<&SourceLocation> {
        self.locations.get(policy)
    }

    /// SHA-256 over names and contents of the schema and the policy files, in lowercase hex.
    pub const fn digest(&self) -> &Arc<str> {
        &self.digest
    }

    /// The roles and permissions that exist.
    pub const fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The attributes that the schema declares: `context.NAME`, `entities.TYPE.NAME`.
    pub const fn attributes(&self) -> &BTreeSet<String> {
        &self.attributes
    }

    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// SHA-256 of the schema's text, in lowercase hex.
    pub fn schema_digest(&self) -> &str {
        &self.schema_digest
    }

    /// Every policy; requests are decided by those that the index chooses of them.
    pub const fn policies(&self) -> &PolicySet {
        &self.policies
    }

    pub fn invariants(&self) -> &[Invariant] {
        &self.invariants
    }

    pub const fn actions(&self) -> &Entities {
        &self.actions
    }

    /// Entities with this schema's actions and groups; an error if they do not fit together.
    pub fn with_actions(
        &self,
        entities: impl IntoIterator<Item = Entity>,
    ) -> Result<Entities, Box<EntitiesError>> {
        let actions = self.actions.clone();
        actions.add_entities(entities, None).map_err(Box::new)
    }

    /// The policies that could not be evaluated lately for a question of this service.
    pub fn failures(&self, now: Timestamp) -> Vec<Failure> {
        self.failures.recent(now)
    }
}
