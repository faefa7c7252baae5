//! A policy, as reports name it.

use std::fmt;

use charter_authz::snapshot::Snapshot;
use serde::Serialize;

/// A policy and its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Its `@id`.
    pub policy: String,
    /// The file that it is in.
    pub file: String,
    /// The line that it begins on.
    pub line: usize,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({}:{})", self.policy, self.file, self.line)
    }
}

pub(super) fn told(snapshot: &Snapshot, id: &str) -> Told {
    let place = snapshot.location(id);
    Told {
        policy: id.to_owned(),
        file: place.map(|place| place.file.clone()).unwrap_or_default(),
        line: place.map_or(0, |place| place.line),
    }
}
