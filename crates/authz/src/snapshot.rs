//! An immutable policy set with its schema. A request is decided by one snapshot from start to end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy::entities_errors::EntitiesError;
use cedar_policy::{Authorizer, Entities, Entity, PolicyId, PolicySet, Schema};
use metrics::Histogram;

use super::catalogue::Catalogue;
use super::facts::FactsCache;
use super::failures::{EvaluationFailure, RecentFailures};
use super::index::Index;
use super::source::{Source, SourceLocation};
use charter_domain::timestamp::Timestamp;

/// A file of policies.
#[derive(Debug)]
pub(super) struct PolicyFile {
    pub(super) source: Source,
    /// `@id`s of its policies.
    pub(super) policies: Vec<PolicyId>,
}

/// An invariant allows every request that the policies allow, whatever is edited.
#[derive(Debug, Clone)]
pub struct Invariant {
    /// File name without its extension.
    pub name: String,
    /// Never evaluated for a request.
    pub policies: PolicySet,
    /// By `@id`.
    pub locations: BTreeMap<String, SourceLocation>,
}

/// Checked policies and schema, ready to decide.
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
    /// Its names are the schema's own, and no permission of the service can be asked.
    pub(super) is_custom_domain: bool,
    pub(super) digest: Arc<str>,
    pub(super) facts: FactsCache,
    pub(super) failures: RecentFailures,
    pub(super) authorizer: Authorizer,
    /// How long questions take.
    pub(super) seconds: Histogram,
}

impl Snapshot {
    /// The file of the policy with this `@id`.
    pub fn file_of(&self, policy: &str) -> Option<&str> {
        self.location(policy).map(|location| location.file.as_str())
    }

    pub fn location(&self, policy: &str) -> Option<&SourceLocation> {
        self.locations.get(policy)
    }

    /// SHA-256 over names and contents of the schema and the policy files, in lowercase hex.
    pub const fn digest(&self) -> &Arc<str> {
        &self.digest
    }

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

    /// All policies; the index selects those that decide a request.
    pub const fn policies(&self) -> &PolicySet {
        &self.policies
    }

    pub fn invariants(&self) -> &[Invariant] {
        &self.invariants
    }

    pub const fn actions(&self) -> &Entities {
        &self.actions
    }

    /// Whether it is a domain of one's own, where no permission of the service can be asked.
    pub const fn is_custom_domain(&self) -> bool {
        self.is_custom_domain
    }

    /// Adds this schema's actions and groups to entities.
    pub fn with_actions(
        &self,
        entities: impl IntoIterator<Item = Entity>,
    ) -> Result<Entities, Box<EntitiesError>> {
        let actions = self.actions.clone();
        actions.add_entities(entities, None).map_err(Box::new)
    }

    /// Policies that failed to evaluate recently.
    pub fn failures(&self, now: Timestamp) -> Vec<EvaluationFailure> {
        self.failures.recent(now)
    }
}
