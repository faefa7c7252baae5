//! What one policy set allows that another does not, permission by permission, decided over all
//! requests.

mod changes;
mod compare;
mod grouping;
mod missing;
mod report;
pub mod revision;
mod roles;
mod schemas;
mod texts;
mod tree;

use std::collections::BTreeMap;

use serde::Serialize;

use super::request_type::RequestType;
use super::solver::{Budget, Limits, Solver, spread};
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::Clock;

pub use changes::{Change, DiffError, Direction, Example, Permission};
pub use roles::{RoleChanges, roles};
pub use schemas::SchemaChanges;
pub use texts::texts;

/// How the new set stands to the old one.
#[derive(Debug, Clone, Serialize)]
pub struct Diff {
    /// One for each permission of either schema, by name.
    pub permissions: BTreeMap<String, Permission>,
    /// What is otherwise in the schemas.
    pub schema: SchemaChanges,
    /// How many claims needed the solver.
    pub questions: usize,
    /// The solver's version.
    pub solver: String,
}

impl Diff {
    /// Whether any request is allowed that was not, or whether that is not known.
    #[must_use]
    pub fn is_wider(&self) -> bool {
        self.permissions.values().any(|p| !p.wider.is_empty())
    }

    /// Whether it only counts as wider because there was too little time, or the solver stopped:
    /// another try may find that it is not.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        let mut wider = self.permissions.values().flat_map(|p| &p.wider);
        self.is_wider() && wider.all(Change::is_unfinished)
    }

    /// The whole as one JSON document, each permission with its direction.
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
        serde_json::json!({
            "is_wider": self.is_wider(),
            "permissions": permissions.collect::<serde_json::Map<_, _>>(),
            "schema": self.schema,
            "solver": self.solver,
        })
    }

    /// Whether each request is decided as before.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.permissions
            .values()
            .all(|permission| permission.direction() == Direction::Equal)
    }
}

/// Compares two policy sets. It takes threads of its own and waits for them.
///
/// # Errors
///
/// The comparison could not be made at all.
pub fn widens(
    old: &Snapshot,
    new: &Snapshot,
    solver: &Solver,
    limits: Limits,
    clock: &dyn Clock,
) -> Result<Diff, DiffError> {
    let budget = Budget::start(solver, limits, clock);
    let common = schemas::Common::of(old, new)?;
    let types = RequestType::all(common.schema)?;
    let sides = compare::Sides::new(old, new, common.schema);
    let spread = spread(&budget, types.len(), |session, index| {
        let request_type = types.get(index)?;
        Some((
            request_type.permission().to_owned(),
            common.compare(&sides, request_type, session),
        ))
    })
    .map_err(DiffError)?;
    let mut permissions: BTreeMap<String, Permission> = BTreeMap::new();
    for (name, compared) in spread.results.into_iter().flatten() {
        let permission = permissions.entry(name).or_default();
        permission.wider.extend(compared.wider);
        permission.narrower.extend(compared.narrower);
    }
    for (name, change) in common.gone {
        permissions.entry(name).or_default().narrower.push(change);
    }
    Ok(Diff {
        permissions,
        schema: common.changes,
        questions: spread.questions,
        solver: solver.version().to_owned(),
    })
}
