//! Reads a policy folder whole: the schema, the policy files at its top level, the invariants and
//! the examples. Everything that is said of a folder is said of what was read here, once.

mod layout;
mod read;
mod stray;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::NamedSource;
use sha2::{Digest, Sha256};

use layout::{INVARIANTS, MANIFEST, TESTS, is_below};
pub use layout::{SCHEMA, is_policy, is_test};
pub use read::Files;
use read::read;

use super::fault::{Fault, LoadError};
use super::source::Source;

/// What the folder holds, as it was read; later changes to the files do not show.
#[derive(Debug, Clone)]
pub struct Folder {
    files: Files,
    /// What every user of the machine may write.
    open_to_all: Vec<PathBuf>,
    /// What is not read, and perhaps meant to be.
    unread: Vec<String>,
    pub(super) schema: Source,
    /// The policies in force, sorted by file name.
    pub(super) policies: Vec<Source>,
    /// `invariants/*.cedar`, sorted by file name.
    pub(super) invariants: Vec<Source>,
    tests: Vec<Source>,
    manifest: Option<Source>,
    digest: Arc<str>,
    whole_digest: Arc<str>,
}

impl Folder {
    /// An error names every file that cannot be read, is too large or is not the folder's own.
    pub fn read(dir: &Path) -> Result<Self, LoadError> {
        let found = read(dir).map_err(LoadError::new)?;
        let folder = Self::of_files(dir, found.files)?;
        Ok(Self {
            open_to_all: found.open_to_all,
            unread: found.unread,
            ..folder
        })
    }

    /// A folder of texts that were read before, from `dir`: at least a schema and a policy.
    pub fn of_files(dir: &Path, files: Files) -> Result<Self, LoadError> {
        let fault = |fault| Err(LoadError::new(vec![fault]));
        let named = |(name, text): (&String, &Arc<str>)| -> Source {
            let path = dir.join(name).display().to_string();
            Arc::new(NamedSource::new(path, Arc::clone(text)))
        };
        let part = |wanted: &dyn Fn(&str) -> bool| -> Vec<Source> {
            let files = files.iter().filter(|(name, _)| wanted(name));
            files.map(named).collect()
        };
        let Some(schema) = files.get_key_value(SCHEMA).map(named) else {
            return fault(Fault::new(format!("`{}` has no `{SCHEMA}`", dir.display())));
        };
        let policies = part(&is_policy);
        if policies.is_empty() {
            return fault(
                Fault::new(format!("`{}` holds no policy file", dir.display())).help(
                    "policies are read from its `*.cedar` files; without any, nothing is allowed",
                ),
            );
        }
        let in_force = |name: &&String| *name == SCHEMA || is_policy(name);
        Ok(Self {
            schema,
            policies,
            invariants: part(&|name| is_below(name, INVARIANTS)),
            tests: part(&|name| is_below(name, TESTS)),
            manifest: part(&|name| name == MANIFEST).pop(),
            digest: digest(files.iter().filter(|(name, _)| in_force(name))).into(),
            whole_digest: digest(files.iter().filter(|(name, _)| *name != MANIFEST)).into(),
            files,
            open_to_all: Vec::new(),
            unread: Vec::new(),
        })
    }

    /// Logs what every user of this machine may change: who may write here decides who may do what.
    pub fn warn_if_anybody_may_write(&self) {
        for path in &self.open_to_all {
            tracing::warn!(
                path = %path.display(),
                "every user of this machine may change the policies, take that right away"
            );
        }
    }

    /// What is said of each file that is not read, and looks as if it were meant to be.
    pub fn unread(&self) -> &[String] {
        &self.unread
    }

    /// Every file that was read.
    pub const fn files(&self) -> &Files {
        &self.files
    }

    /// The policies in force and the invariants.
    pub fn policy_files(&self) -> impl Iterator<Item = &Source> {
        self.policies.iter().chain(&self.invariants)
    }

    /// About how many policies are in force, without parsing them: each has an `@id`.
    pub fn policy_count(&self) -> usize {
        let count = |source: &Source| source.inner().matches("@id(").count();
        self.policies.iter().map(count).sum()
    }

    /// `tests/*.json`, sorted by file name.
    pub fn tests(&self) -> &[Source] {
        &self.tests
    }

    /// `manifest.json`, if there is one.
    pub const fn manifest(&self) -> Option<&Source> {
        self.manifest.as_ref()
    }

    /// SHA-256 over the sorted names and contents of schema and policies, in lowercase hex: what
    /// decisions name.
    pub const fn digest(&self) -> &Arc<str> {
        &self.digest
    }

    /// The same over the schema alone.
    pub(super) fn schema_digest(&self) -> String {
        digest(self.files.get_key_value(SCHEMA).into_iter())
    }

    /// The same over invariants and examples, too: what a verdict about the folder is about.
    pub const fn whole_digest(&self) -> &Arc<str> {
        &self.whole_digest
    }
}

/// Lengths go in front, so that no two folders have the same bytes to hash.
fn digest<'a>(files: impl Iterator<Item = (&'a String, &'a Arc<str>)>) -> String {
    let mut hash = Sha256::new();
    for part in files.flat_map(|(name, text)| [name.as_str(), text]) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}
