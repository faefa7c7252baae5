//! What one policy set allows that another does not, permission by permission, decided over all
//! requests.

mod changes;
mod compare;
mod compared_set;
mod declarations;
mod facts;
mod git_tree;
mod missing_entities;
mod regrouped;
mod report;
pub mod revision;
mod role_changes;
mod schema_comparison;
mod text_changes;
mod widening_query;

use std::collections::BTreeMap;

use serde::Serialize;

use super::request_type::RequestType;
use super::solver::{Solver, SolverBudget, SolverLimits, run_parallel};
use charter_authz::folder::Files;
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::Clock;

pub use changes::{DiffDirection, DiffError, DiffExample, PermissionDiff, RequestChange};
pub use role_changes::{RoleChanges, role_changes};
pub use schema_comparison::SchemaChanges;
pub use text_changes::text_changes;

/// Comparison of a new policy set with an old one.
#[derive(Debug, Clone, Serialize)]
pub struct Diff {
    /// The change of each permission of either schema, by name.
    pub permissions: BTreeMap<String, PermissionDiff>,
    /// Differences between the schemas.
    pub schema: SchemaChanges,
    /// Number of claims that needed the solver.
    pub questions: usize,
    /// Version of the solver.
    pub solver: String,
    #[serde(skip)]
    is_custom_domain: bool,
    /// What differs in the declarations, entities and routes of a domain, as lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
    /// Whether any of these differences counts as wider.
    #[serde(skip)]
    pub has_wider_facts: bool,
}

impl Diff {
    /// With what differs in the declarations, entities and routes of two folders of a domain. Those of the built-in
    /// one come from the store and are not chosen by who asks.
    #[must_use]
    pub fn with_facts(self, old: &Files, new: &Files) -> Self {
        if !self.is_custom_domain {
            return self;
        }
        let changes = facts::fact_changes(old, new);
        Self {
            facts: changes.lines,
            has_wider_facts: changes.is_wider,
            ..self
        }
    }

    /// Whether the new set allows any request that the old one denies, or whether that is
    /// undecided.
    #[must_use]
    pub fn is_wider(&self) -> bool {
        self.has_wider_facts || self.permissions.values().any(|p| !p.wider.is_empty())
    }

    /// Whether it counts as wider only for lack of time or because the solver stopped, so that
    /// another try may find otherwise.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        let mut wider = self.permissions.values().flat_map(|p| &p.wider);
        self.is_wider() && !self.has_wider_facts && wider.all(RequestChange::is_unfinished)
    }

    /// The comparison as a JSON document, each permission with its direction.
    #[must_use]
    pub fn document(&self) -> serde_json::Value {
        let permissions = self.permissions.iter().map(|(name, permission)| {
            let entry = serde_json::json!({
                "direction": permission.direction(),
                "wider": permission.wider,
                "narrower": permission.narrower,
            });
            (name.clone(), entry)
        });
        let mut document = serde_json::json!({
            "is_wider": self.is_wider(),
            "permissions": permissions.collect::<serde_json::Map<_, _>>(),
            "schema": self.schema,
            "solver": self.solver,
        });
        if let Some(members) = document.as_object_mut().filter(|_| !self.facts.is_empty()) {
            members.insert("facts".to_owned(), self.facts.as_slice().into());
        }
        document
    }
}

/// Compares two policy sets. Blocks until its worker threads are done.
///
/// # Errors
///
/// The sets could not be compared at all.
pub fn compare_sets(
    old: &Snapshot,
    new: &Snapshot,
    solver: &Solver,
    limits: SolverLimits,
    clock: &dyn Clock,
) -> Result<Diff, DiffError> {
    if old.is_custom_domain() != new.is_custom_domain() {
        let reason = "one is the folder of a domain of one's own, and the other is not";
        return Err(DiffError::from(reason.to_owned()));
    }
    let budget = SolverBudget::start(solver, limits, clock);
    let common = schema_comparison::SchemaComparison::of(old, new)?;
    let types = RequestType::all(common.schema)?;
    let sides = compare::PolicySetPair::new(old, new, common.schema);
    let compared = run_parallel(&budget, types.len(), |session, index| {
        let request_type = types.get(index)?;
        Some((
            request_type.permission().to_owned(),
            common.compare(&sides, request_type, session),
        ))
    })
    .map_err(DiffError)?;
    let mut permissions: BTreeMap<String, PermissionDiff> = BTreeMap::new();
    for (name, result) in compared.results.into_iter().flatten() {
        let permission = permissions.entry(name).or_default();
        permission.wider.extend(result.wider);
        permission.narrower.extend(result.narrower);
    }
    for (name, change) in common.gone {
        permissions.entry(name).or_default().narrower.push(change);
    }
    Ok(Diff {
        permissions,
        schema: common.changes,
        questions: compared.queries,
        solver: solver.version().to_owned(),
        is_custom_domain: new.is_custom_domain(),
        facts: Vec::new(),
        has_wider_facts: false,
    })
}
