//! What roles gain and lose by an edit, as a table of roles and permissions. It needs no solver and
//! shows the ordinary case only.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::changes::DiffError;
use charter_authz::role_matrix::{MatrixKey, RoleHolder, RoleMatrix};
use charter_authz::snapshot::Snapshot;
use charter_domain::timestamp::Timestamp;

/// Two role matrices, combined.
#[derive(Debug, Clone)]
pub struct RoleChanges {
    holders: Vec<RoleHolder>,
    rows: BTreeMap<MatrixKey, BTreeMap<RoleHolder, RoleChange>>,
}

/// The change of one permission of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum RoleChange {
    /// Allowed, as before.
    May,
    /// Denied, as before.
    MayNot,
    /// Newly allowed.
    Gained,
    /// No longer allowed.
    Lost,
}

impl RoleChange {
    const fn of(before: bool, after: bool) -> Self {
        match (before, after) {
            (true, true) => Self::May,
            (false, false) => Self::MayNot,
            (false, true) => Self::Gained,
            (true, false) => Self::Lost,
        }
    }

    const fn is_changed(self) -> bool {
        matches!(self, Self::Gained | Self::Lost)
    }

    const fn mark(self) -> char {
        match self {
            Self::May => '✔',
            Self::MayNot => '✘',
            Self::Gained => '+',
            Self::Lost => '-',
        }
    }
}

/// Compares the role matrices of two snapshots.
///
/// # Errors
///
/// A role matrix could not be computed.
pub fn role_changes(
    old: &Snapshot,
    new: &Snapshot,
    now: Timestamp,
) -> Result<RoleChanges, DiffError> {
    let matrix = |snapshot: &Snapshot| -> Result<RoleMatrix, DiffError> {
        let matrix = snapshot.role_matrix(now);
        matrix.map_err(|error| DiffError::from(error.to_string()))
    };
    let (old, new) = (matrix(old)?, matrix(new)?);
    let mut rows: BTreeMap<MatrixKey, BTreeMap<RoleHolder, RoleChange>> = BTreeMap::new();
    for (asked, holders) in old.iter().chain(&new) {
        for holder in holders.keys() {
            // What a schema does not let be asked is denied.
            let may = |matrix: &RoleMatrix| {
                let may = matrix.get(asked).and_then(|holders| holders.get(holder));
                may.copied().unwrap_or(false)
            };
            let cell = RoleChange::of(may(&old), may(&new));
            rows.entry(asked.clone())
                .or_default()
                .insert(holder.clone(), cell);
        }
    }
    let holders: BTreeSet<&RoleHolder> = rows.values().flat_map(BTreeMap::keys).collect();
    Ok(RoleChanges {
        holders: holders.into_iter().cloned().collect(),
        rows,
    })
}

impl RoleChanges {
    /// The whole table as JSON: for each permission and object, the change for each role.
    #[must_use]
    pub fn document(&self) -> serde_json::Value {
        let rows = self.rows.iter().map(|((permission, about), cells)| {
            let cells = cells.iter().map(|(holder, cell)| {
                serde_json::json!({"holder": holder.kind, "role": holder.role, "is": cell})
            });
            serde_json::json!({
                "permission": permission.as_str(),
                "about": about,
                "roles": cells.collect::<Vec<_>>(),
            })
        });
        rows.collect()
    }
}

/// The rows with a change, with all roles.
impl fmt::Display for RoleChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changed = self.rows.iter().filter_map(|((permission, about), cells)| {
            let is_changed = cells.values().any(|cell| cell.is_changed());
            is_changed.then(|| (format!("{permission} · {about}"), cells))
        });
        let changed: Vec<_> = changed.collect();
        let width = changed.iter().map(|(title, _)| title.chars().count()).max();
        let Some(width) = width else {
            return writeln!(f, "roles: none gains or loses a permission");
        };
        writeln!(
            f,
            "roles: + gains, - loses, ✔ may and ✘ may not as before; active, verified, in their own active organization"
        )?;
        for (column, holder) in self.holders.iter().enumerate() {
            let lines = " │".repeat(column);
            writeln!(
                f,
                "  {:width$}{lines} ╭ {} as {}",
                "", holder.kind, holder.role
            )?;
        }
        for (title, cells) in changed {
            write!(f, "  {title:width$}")?;
            for holder in &self.holders {
                write!(f, " {}", cells.get(holder).map_or(' ', |cell| cell.mark()))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
