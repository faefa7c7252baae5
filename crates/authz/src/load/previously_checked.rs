//! Results of earlier checks, so that an edit costs only what it changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use cedar_policy::{Policy, PolicyId};

use super::limits::{self, CedarLanguage};
use crate::fault::FolderFault;
use crate::snapshot::{PolicyFile, Snapshot};
use crate::source::{Source, file_name};

/// What was checked before.
pub(super) enum PreviouslyChecked<'a> {
    Nothing,
    /// These files, and these policies under the same schema.
    Checked(&'a Snapshot),
    /// The folder itself was in force in this program: it is only parsed.
    Accepted,
    /// The folder was in force in this or another version of this program, which may ask about other names.
    Recorded,
}

impl PreviouslyChecked<'_> {
    /// The policies of a file whose text is unchanged.
    pub(super) fn policies(&self, source: &Source) -> Option<Vec<&Policy>> {
        let Self::Checked(snapshot) = self else {
            return None;
        };
        let name = file_name(source);
        let file = snapshot.sources.get(&*name)?;
        if file.source.inner() != source.inner() {
            return None;
        }
        let policies = file.policies.iter();
        policies.map(|id| snapshot.policies.policy(id)).collect()
    }

    /// Whether nothing is asked of the policies but that they can be read and evaluated.
    pub(super) const fn is_recorded(&self) -> bool {
        matches!(self, Self::Recorded)
    }

    /// Finds what may not be given to the parser.
    pub(super) fn limits(&self, source: &Source, language: CedarLanguage) -> Vec<FolderFault> {
        match self {
            Self::Recorded => limits::check_nesting(source, language),
            _ => limits::check(source, language),
        }
    }

    /// Whether a policy is unchanged.
    pub(super) fn has(&self, policy: &Policy) -> bool {
        let Self::Checked(snapshot) = self else {
            return false;
        };
        let known = snapshot.policies.policy(policy.id());
        known.is_some_and(|known| known.to_cedar() == policy.to_cedar())
    }

    /// Whether the policies were checked under this schema.
    pub(super) fn is_valid_under(&self, schema: &Source) -> bool {
        matches!(self, Self::Checked(snapshot) if snapshot.schema_source.inner() == schema.inner())
    }
}

/// The policy files by name, each with the ids of its policies.
pub(super) fn sources(files: &BTreeMap<PolicyId, Source>) -> BTreeMap<String, PolicyFile> {
    let mut by_name: BTreeMap<String, PolicyFile> = BTreeMap::new();
    for (id, source) in files {
        let file = by_name
            .entry(file_name(source).into_owned())
            .or_insert_with(|| PolicyFile {
                source: Arc::clone(source),
                policies: Vec::new(),
            });
        file.policies.push(id.clone());
    }
    by_name
}
