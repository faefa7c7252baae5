//! What one policy set allows that another does not, permission by permission, decided over all
//! requests.

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

use super::counterexample::{Counterexample, Named};
use super::request_type::RequestType;
use super::solver::{Budget, Limits, Reason, Solver, spread};
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::Clock;

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

/// What becomes of one permission.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Permission {
    /// Requests that only the new set allows.
    pub wider: Vec<Change>,
    /// Requests that only the old set allows.
    pub narrower: Vec<Change>,
}

/// How a permission changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The same requests are allowed.
    Equal,
    /// Some are no longer allowed, none is new.
    Narrower,
    /// Some are newly allowed, none is lost.
    Wider,
    /// Some are newly allowed, others no longer.
    Both,
}

/// One kind of request that is not decided as before.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// The kind of request.
    pub request_type: String,
    /// A request that shows it; `None` if it could not be decided, which counts as a change.
    pub example: Option<Example>,
    /// Why there is no example.
    pub reason: Option<Reason>,
}

/// A request that the two sets answer differently. Both were tried.
#[derive(Debug, Clone, Serialize)]
pub struct Example {
    /// The request.
    pub request: Counterexample,
    /// Whether the new set allows it.
    pub is_allowed: bool,
    /// The old policies that decide; none if nothing permits it.
    pub old: Vec<Named>,
    /// The new policies that decide.
    pub new: Vec<Named>,
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

impl Change {
    fn is_unfinished(&self) -> bool {
        let reason = self.reason.as_ref();
        self.example.is_none() && reason.is_some_and(Reason::is_unfinished)
    }
}

impl Permission {
    /// How it changes.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        match (self.wider.is_empty(), self.narrower.is_empty()) {
            (true, true) => Direction::Equal,
            (true, false) => Direction::Narrower,
            (false, true) => Direction::Wider,
            (false, false) => Direction::Both,
        }
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

/// Why two sets could not be compared.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the policy sets cannot be compared: {0}")]
pub struct DiffError(Reason);

impl DiffError {
    /// Whether another try may succeed.
    #[must_use]
    pub const fn is_unfinished(&self) -> bool {
        self.0.is_unfinished()
    }
}

impl From<String> for DiffError {
    fn from(reason: String) -> Self {
        Self(reason.into())
    }
}
