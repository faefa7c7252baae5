//! Earlier policies, from the database.

use std::path::PathBuf;

use charter_authz::fault::LoadError;
use charter_authz::folder::{Files, Folder};
use charter_authz::snapshot::Snapshot;
use charter_policy::domain_arg::DomainArg;
use charter_store::LastRevision;

use super::super::Error;
use super::super::operator::Operator;
use super::folder_args::unknown_domain;

/// The policies of a domain with this digest; `None` if the database does not have them.
///
/// # Errors
///
/// This version cannot parse them: [`Error::Policies`], which names the revision.
pub(super) async fn of_digest(
    operator: &Operator,
    domain: Option<&str>,
    policy_digest: &str,
) -> Result<Option<Snapshot>, Error> {
    let known = operator.store.policies_of_digest(domain, policy_digest);
    let known = known.await?;
    known
        .map(|(revision, files)| snapshot(domain, revision.sequence, files))
        .transpose()
}

/// The policies of a domain in force; `None` if unknown.
pub(super) async fn in_force(
    operator: &Operator,
    domain: Option<&str>,
) -> Result<Option<Snapshot>, Error> {
    match operator.store.last_policy_revision(domain).await? {
        LastRevision::Known(revision, files) => {
            snapshot(domain, revision.sequence, files).map(Some)
        }
        LastRevision::None | LastRevision::Unknown(_) => Ok(None),
    }
}

/// Where the settings have a domain's folder, which need not exist.
pub(super) fn place(operator: &Operator, domain: Option<&str>) -> Result<PathBuf, Error> {
    let dir = &operator.settings.policies.dir;
    match domain {
        None => Ok(dir.clone()),
        Some(name) => DomainArg::place(dir, name).map_err(unknown_domain),
    }
}

fn snapshot(domain: Option<&str>, number: i64, files: Files) -> Result<Snapshot, Error> {
    let folder = Folder::of_revision(domain, number, files);
    let loaded = folder.and_then(|folder| Snapshot::from_recorded(&folder));
    loaded.map_err(|error: LoadError| {
        let report = error.report();
        Error::Policies(format!(
            "revision {number} of the policies cannot be read by this version\n{report}"
        ))
    })
}
