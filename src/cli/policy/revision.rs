//! Policies of an earlier time, from the database.

use charter_authz::fault::LoadError;
use charter_authz::folder::{Files, Folder};
use charter_authz::snapshot::Snapshot;
use charter_store::LastRevision;

use super::super::Error;
use super::super::operator::Operator;

/// The policies of that digest, as decisions name it; `None` if they are not known.
///
/// # Errors
///
/// The database's, or this version cannot read them.
pub(super) async fn of_digest(
    operator: &Operator,
    policy_digest: &str,
) -> Result<Option<Snapshot>, Error> {
    let known = operator.store.policies_of_digest(policy_digest).await?;
    known
        .map(|(_, files)| snapshot(operator, files))
        .transpose()
}

/// What is in force; `None` if it is not known.
///
/// # Errors
///
/// The same.
pub(super) async fn in_force(operator: &Operator) -> Result<Option<Snapshot>, Error> {
    match operator.store.last_policy_revision().await? {
        LastRevision::Known(_, files) => snapshot(operator, files).map(Some),
        LastRevision::None | LastRevision::Unknown(_) => Ok(None),
    }
}

fn snapshot(operator: &Operator, files: Files) -> Result<Snapshot, Error> {
    let faulty = |error: LoadError| Error::Policies(error.report());
    let folder = Folder::of_files(&operator.settings.policies.dir, files).map_err(faulty)?;
    Snapshot::of(&folder).map_err(faulty)
}
