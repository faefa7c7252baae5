//! The files, policies and invariants of a folder, as `GET /policies` shows them.

use std::sync::Arc;

use serde::Serialize;

use charter_authz::folder::Files;
use charter_authz::snapshot::Snapshot;
use charter_authz::source::SourceLocation;

/// The content of a folder.
#[derive(Serialize)]
pub(super) struct Content {
    pub(super) files: Vec<FileBody>,
    pub(super) policies: Vec<PolicyBody>,
    pub(super) invariants: Vec<InvariantBody>,
}

#[derive(Serialize)]
pub(super) struct FileBody {
    name: String,
    /// Null if it was not asked for.
    text: Option<Arc<str>>,
    /// The folder lacks it; then the text is null, too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    removed: bool,
}

#[derive(Serialize)]
pub(super) struct PolicyBody {
    id: String,
    /// `permit` or `forbid`.
    effect: String,
    file: String,
    line: usize,
}

#[derive(Serialize)]
pub(super) struct InvariantBody {
    name: String,
    policies: Vec<PolicyBody>,
}

pub(super) fn files(files: &Files, with_texts: bool) -> Vec<FileBody> {
    let file = |(name, text): (&String, &Arc<str>)| FileBody {
        name: name.clone(),
        text: with_texts.then(|| Arc::clone(text)),
        removed: false,
    };
    files.iter().map(file).collect()
}

/// The files of a folder that differ from those in force, and those that it lacks, without a text.
pub(super) fn changed(in_force: &Files, folder: &Files, with_texts: bool) -> Vec<FileBody> {
    let new = folder
        .iter()
        .filter(|(name, text)| in_force.get(*name) != Some(*text))
        .map(|(name, text)| FileBody {
            name: name.clone(),
            text: with_texts.then(|| Arc::clone(text)),
            removed: false,
        });
    let gone = in_force.keys().filter(|name| !folder.contains_key(*name));
    let gone = gone.map(|name| FileBody {
        name: name.clone(),
        text: None,
        removed: true,
    });
    let mut files: Vec<FileBody> = new.chain(gone).collect();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    files
}

/// By file and line.
pub(super) fn policies(snapshot: &Snapshot) -> Vec<PolicyBody> {
    let policies = snapshot.policies().policies().map(|policy| {
        let (id, effect) = (policy.id().to_string(), policy.effect().to_string());
        PolicyBody::of(effect, snapshot.location(&id), id)
    });
    sorted(policies)
}

pub(super) fn invariants(snapshot: &Snapshot) -> Vec<InvariantBody> {
    let invariants = snapshot.invariants().iter().map(|invariant| {
        let policies = invariant.policies.policies().map(|policy| {
            let (id, effect) = (policy.id().to_string(), policy.effect().to_string());
            PolicyBody::of(effect, invariant.locations.get(&id), id)
        });
        InvariantBody {
            name: invariant.name.clone(),
            policies: sorted(policies),
        }
    });
    invariants.collect()
}

impl PolicyBody {
    fn of(effect: String, place: Option<&SourceLocation>, id: String) -> Self {
        Self {
            effect,
            file: place.map(|place| place.file.clone()).unwrap_or_default(),
            line: place.map_or(0, |place| place.line),
            id,
        }
    }
}

fn sorted(policies: impl Iterator<Item = PolicyBody>) -> Vec<PolicyBody> {
    let mut policies: Vec<PolicyBody> = policies.collect();
    policies.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    policies
}
