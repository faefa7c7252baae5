//! Earlier policies, from the database.

use charter_authz::fault::LoadError;
use charter_authz::folder::{Files, Folder};
use charter_authz::snapshot::Snapshot;
use charter_store::LastRevision;

use super::super::Error;
use super::super::operator::Operator;

/// The policies with this digest; `None` if the database does not have them.
///
/// # Errors
///
/// This version cannot load them.
pub(super) async fn of_digest(
    operator: &Operator,
    policy_digest: &str,
) -> Result<Option<Snapshot>, Error> {
    let known = operator.store.policies_of_digest(policy_digest).await?;
    known
        .map(|(_, files)| snapshot(operator, files))
        .transpose()
}

/// The policies in force; `None` if unknown.
pub(super) async fn in_force(operator: &Operator) -> Result<Option<Snapshot>, Error> {
    match operator.store.last_policy_revision().await? {
        LastRevision::Known(_, files) => snapshot(operator, files).map(Some),
        LastRevision::None | LastRevision::Unknown(_) => Ok(None),
    }
}

fn snapshot(operator: &Operator, files: Files) -> Result<Snapshot, Error> {
    let faulty = |error: LoadError| Error::Policies(error.report());
    let folder = Folder::from_files(&operator.settings.policies.dir, files).map_err(faulty)?;
    Snapshot::from_folder(&folder).map_err(faulty)
}
