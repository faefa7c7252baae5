//! Policies of an earlier time, from the database.

use crate::authz::folder::Folder;
use crate::authz::snapshot::Snapshot;

use super::super::Error;
use super::super::operator::Operator;

/// The policies of that digest, as decisions name it; the folder on disk, if it is that; `None` if
/// neither is known.
///
/// # Errors
///
/// The database's, or this version cannot read them.
pub(super) async fn of_digest(
    operator: &Operator,
    policy_digest: &str,
) -> Result<Option<Snapshot>, Error> {
    let dir = &operator.settings.policies.dir;
    let known = operator.store.policies_of_digest(policy_digest).await?;
    let folder = match known {
        Some((_, files)) => Folder::of_files(dir, files).map(Some),
        None => Ok(Folder::read(dir)
            .ok()
            .filter(|folder| **folder.digest() == *policy_digest)),
    };
    let faulty = |error: crate::authz::fault::LoadError| Error::Policies(error.report());
    folder
        .map_err(faulty)?
        .map(|folder| Snapshot::of(&folder).map_err(faulty))
        .transpose()
}
