//! Reads a policy folder once: schema, policy files, invariants and examples. Everything else works
//! on what was read here.

mod layout;
mod read;
mod sent;
mod stray;

use std::path::Path;
use std::sync::Arc;

use miette::NamedSource;
use sha2::{Digest, Sha256};

pub use layout::{
    DOMAINS, ENTITIES, MAX_DOMAIN_NAME, ROUTES, SCHEMA, is_custom_domain, is_domain_name,
    is_policy, is_test, nominal_place,
};
use layout::{INVARIANTS, MANIFEST, TESTS, custom_domain_name, is_below};
pub use read::Files;
use read::read;
pub use sent::{BrokenFile, check_sent};

use super::fault::{FolderFault, LoadError};
use super::source::Source;

/// The content of a folder; later changes of the files are not visible.
#[derive(Debug, Clone)]
pub struct Folder {
    files: Files,
    /// What is not read, and perhaps meant to be.
    unread: Vec<String>,
    pub(super) schema: Source,
    /// The policies that take effect, sorted by file name.
    pub(super) policies: Vec<Source>,
    /// `invariants/*.cedar`, sorted by file name.
    pub(super) invariants: Vec<Source>,
    tests: Vec<Source>,
    manifest: Option<Source>,
    /// `entities.json` of a domain of one's own.
    pub(super) entities: Option<Source>,
    /// `routes.toml` of a domain of one's own.
    pub(super) routes: Option<Source>,
    is_custom_domain: bool,
    digest: Arc<str>,
    whole_digest: Arc<str>,
}

impl Folder {
    /// The error names every file that cannot be read, is too large or lies outside of the folder.
    pub fn read(dir: &Path) -> Result<Self, LoadError> {
        let found = read(dir).map_err(LoadError::new)?;
        let folder = Self::from_files(dir, found.files)?;
        Ok(Self {
            unread: found.unread,
            ..folder
        })
    }

    /// The policy files of a folder that can be read, whatever else of it cannot, and the name of its manifest: for
    /// emergency stops.
    #[must_use]
    pub fn readable_policies(dir: &Path) -> Files {
        read::readable_policies(dir)
    }

    /// The files of a folder that is about to be written anew: it may lack some, not parse, or be absent. The error
    /// names every file that cannot be read, is too large or lies outside of the folder.
    pub fn incomplete_files(dir: &Path) -> Result<Files, LoadError> {
        read::read_incomplete(dir).map_err(LoadError::new)
    }

    /// Reads the folder again. Where nothing has changed, nothing is hashed.
    pub fn read_again(&self, dir: &Path) -> Result<Self, LoadError> {
        let found = read(dir).map_err(LoadError::new)?;
        let folder = if found.files == self.files {
            self.clone()
        } else {
            Self::from_files(dir, found.files)?
        };
        Ok(Self {
            unread: found.unread,
            ..folder
        })
    }

    /// Builds a folder from texts that were read before; requires a schema and a policy. `dir` is
    /// used in reports.
    pub fn from_files(dir: &Path, files: Files) -> Result<Self, LoadError> {
        let fault = |fault| Err(LoadError::new(vec![fault]));
        let named = |(name, text): (&String, &Arc<str>)| -> Source {
            let path = dir.join(name).display().to_string();
            Arc::new(NamedSource::new(path, Arc::clone(text)))
        };
        let part = |wanted: &dyn Fn(&str) -> bool| -> Vec<Source> {
            let files = files.iter().filter(|(name, _)| wanted(name));
            files.map(named).collect()
        };
        // A folder that was sent has no path.
        let named_dir = || match dir.display().to_string().as_str() {
            "" => "the folder".to_owned(),
            dir => format!("`{dir}`"),
        };
        let Some(schema) = files.get_key_value(SCHEMA).map(named) else {
            return fault(FolderFault::new(format!(
                "{} has no `{SCHEMA}`",
                named_dir()
            )));
        };
        let policies = part(&is_policy);
        if policies.is_empty() {
            return fault(
                FolderFault::new(format!("{} holds no policy file", named_dir())).help(
                    "policies are read from its `*.cedar` files; without any, nothing is allowed",
                ),
            );
        }
        // What is approved of one domain is not approved of another with the same files.
        let domain = custom_domain_name(dir).map(|name| ("\0domain".to_owned(), Arc::from(name)));
        let whole = files.iter().filter(|(name, _)| *name != MANIFEST);
        let whole = domain
            .iter()
            .map(|(label, name)| (label, name))
            .chain(whole);
        let in_force = |name: &&String| *name == SCHEMA || *name == ENTITIES || is_policy(name);
        Ok(Self {
            schema,
            policies,
            invariants: part(&|name| is_below(name, INVARIANTS)),
            tests: part(&|name| is_below(name, TESTS)),
            manifest: part(&|name| name == MANIFEST).pop(),
            entities: part(&|name| name == ENTITIES).pop(),
            routes: part(&|name| name == ROUTES).pop(),
            is_custom_domain: domain.is_some(),
            digest: digest(files.iter().filter(|(name, _)| in_force(name))).into(),
            whole_digest: digest(whole).into(),
            files,
            unread: Vec::new(),
        })
    }

    /// The texts of a folder without a place, `None` being the built-in one. Reports name its files alone.
    pub fn without_place(domain: Option<&str>, files: Files) -> Result<Self, LoadError> {
        Self::from_files(&nominal_place(domain), files)?.titled(Path::new(""))
    }

    /// The texts of a revision that was in force. Reports name it.
    pub fn of_revision(domain: Option<&str>, number: i64, files: Files) -> Result<Self, LoadError> {
        let title = format!("revision {number}");
        Self::from_files(&nominal_place(domain), files)
            .map_err(|error| error.renamed("the folder", &title))?
            .titled(Path::new(&title))
    }

    /// The same folder, named otherwise in reports.
    pub fn titled(&self, title: &Path) -> Result<Self, LoadError> {
        let titled = Self::from_files(title, self.files.clone())?;
        Ok(Self {
            is_custom_domain: self.is_custom_domain,
            whole_digest: Arc::clone(&self.whole_digest),
            ..titled
        })
    }

    /// What is said of each file that is not read, and looks as if it were meant to be.
    pub fn unread(&self) -> &[String] {
        &self.unread
    }

    /// All files.
    pub const fn files(&self) -> &Files {
        &self.files
    }

    /// Policies and invariants.
    pub fn policy_files(&self) -> impl Iterator<Item = &Source> {
        self.policies.iter().chain(&self.invariants)
    }

    /// Estimates the number of policies without parsing: each has an `@id`.
    pub fn policy_count(&self) -> usize {
        let count = |source: &Source| source.inner().matches("@id(").count();
        self.policies.iter().map(count).sum()
    }

    /// `tests/*.json`, sorted by file name.
    pub fn tests(&self) -> &[Source] {
        &self.tests
    }

    /// Whether it holds a domain of one's own, whose schema declares what it likes; else it must suit the service.
    pub const fn is_custom_domain(&self) -> bool {
        self.is_custom_domain
    }

    /// `manifest.json`, if there is one.
    pub const fn manifest(&self) -> Option<&Source> {
        self.manifest.as_ref()
    }

    /// SHA-256 over sorted names and contents of schema and policies, in lowercase hex. Decisions
    /// refer to it.
    pub const fn digest(&self) -> &Arc<str> {
        &self.digest
    }

    /// The digest of the schema alone.
    pub(super) fn schema_digest(&self) -> String {
        digest(self.files.get_key_value(SCHEMA).into_iter())
    }

    /// The digest that also covers invariants and examples. Checks and approvals refer to it.
    pub const fn whole_digest(&self) -> &Arc<str> {
        &self.whole_digest
    }
}

/// The digest of all files, the manifest included.
#[must_use]
pub fn content_digest(files: &Files) -> String {
    digest(files.iter())
}

/// Each part is preceded by its length, so that different folders hash different bytes.
fn digest<'a>(files: impl Iterator<Item = (&'a String, &'a Arc<str>)>) -> String {
    let mut hash = Sha256::new();
    for part in files.flat_map(|(name, text)| [name.as_str(), text]) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}
