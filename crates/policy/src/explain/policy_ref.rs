//! A policy with its source location.

use std::fmt;

use charter_authz::snapshot::Snapshot;
use serde::Serialize;

/// A policy with its source location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyRef {
    /// Its `@id`.
    pub policy: String,
    /// Its file.
    pub file: String,
    /// The line on which it begins.
    pub line: usize,
}

impl fmt::Display for PolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({}:{})", self.policy, self.file, self.line)
    }
}

impl PolicyRef {
    pub(super) fn new(snapshot: &Snapshot, id: &str) -> Self {
        let location = snapshot.location(id);
        Self {
            policy: id.to_owned(),
            file: location.map(|it| it.file.clone()).unwrap_or_default(),
            line: location.map_or(0, |it| it.line),
        }
    }
}
