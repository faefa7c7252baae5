//! Which folders recorded decisions are asked of: the policy folder with its domains, or one domain.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use charter_authz::fault::LoadError;
use charter_authz::folder::{DOMAINS, is_custom_domain};
use charter_authz::snapshot::Snapshot;
use charter_policy::domain_arg::{self, DomainArg};
use charter_policy::replay::{ReplayMode, ReplayPolicies};

use super::super::Error;
use super::asked_snapshot::AskedSnapshot;
use super::folder_args::unknown_domain;

/// The folders by domain; `None` is the built-in one.
pub(super) struct AskedFolders(Vec<(Option<String>, PathBuf)>);

/// Their policies. The one that was named comes first.
pub(super) struct AskedPolicies(Vec<(Option<String>, AskedSnapshot)>);

pub(super) enum FolderError {
    Faults(PathBuf, LoadError),
    Other(Error),
}

impl AskedFolders {
    pub(super) fn of(dir: &Path, domain: &DomainArg) -> Result<Self, Error> {
        if domain.domain.is_some() {
            let is_its_own = is_custom_domain(dir);
            let place = if is_its_own {
                dir.to_owned()
            } else {
                domain.within(dir).map_err(unknown_domain)?
            };
            return Ok(Self(vec![(domain.domain.clone(), place)]));
        }
        if is_custom_domain(dir) {
            let real = std::fs::canonicalize(dir)?;
            let name = real.file_name().unwrap_or_default().to_string_lossy();
            return Ok(Self(vec![(Some(name.into_owned()), dir.to_owned())]));
        }
        let domains = dir.join(DOMAINS);
        let each = domain_arg::names(&domains).into_iter().map(|name| {
            let place = domains.join(&name);
            (Some(name), place)
        });
        let built_in = (None, dir.to_owned());
        Ok(Self(std::iter::once(built_in).chain(each).collect()))
    }

    /// A folder that is being edited did not make the decisions that are to be reproduced: the policies in force did. A
    /// domain of which nothing is known is left out.
    pub(super) fn load(
        self,
        mode: ReplayMode,
        in_force: impl Fn(Option<&str>) -> Result<Option<Snapshot>, Error>,
    ) -> Result<AskedPolicies, FolderError> {
        let mut loaded = Vec::new();
        for (domain, dir) in self.0 {
            let snapshot = match (AskedSnapshot::load(dir), mode) {
                (Ok(asked), _) => asked,
                (Err((dir, error)), ReplayMode::Candidate) => {
                    return Err(FolderError::Faults(dir, error));
                }
                (Err(_), ReplayMode::Reproduce) => {
                    match in_force(domain.as_deref()).map_err(FolderError::Other)? {
                        Some(snapshot) => AskedSnapshot::recorded(snapshot),
                        None if domain.is_some() => continue,
                        None => return Err(FolderError::Other(unknown_policies())),
                    }
                }
            };
            loaded.push((domain, snapshot));
        }
        Ok(AskedPolicies(loaded))
    }
}

fn unknown_policies() -> Error {
    let message = "the policy folder has faults, and the database does not record which policies are in force";
    Error::Policies(message.to_owned())
}

impl AskedPolicies {
    /// `None` is the built-in one.
    pub(super) fn domains(&self) -> impl Iterator<Item = Option<&str>> {
        self.0.iter().map(|(domain, _)| domain.as_deref())
    }

    pub(super) fn policies(&self) -> ReplayPolicies<'_> {
        let mut policies = ReplayPolicies::default();
        for (domain, asked) in &self.0 {
            match domain {
                Some(name) => drop(policies.domains.insert(name, &asked.snapshot)),
                None => policies.built_in = Some(&asked.snapshot),
            }
        }
        policies
    }

    /// A line for each folder.
    pub(super) fn lines(&self) -> String {
        self.0
            .iter()
            .map(|(domain, asked)| match domain {
                Some(name) => format!("domain `{name}`: {}", asked.line()),
                None => asked.line(),
            })
            .collect()
    }

    /// The document with `folder` and `digest` of what was named, and the same of each domain in `domains`.
    pub(super) fn named(&self, document: Value) -> Value {
        let mut document = match self.0.first() {
            Some((_, first)) => first.named(document),
            None => document,
        };
        let domains = self.0.iter().filter_map(|(domain, asked)| {
            let name = domain.clone()?;
            Some((name, asked.named(json!({}))))
        });
        if let Some(members) = document.as_object_mut() {
            members.insert("domains".to_owned(), Value::Object(domains.collect()));
        }
        document
    }
}
