//! The first gate: the folder is what its manifest lists.

use crate::manifest::Manifest;
use charter_authz::fault::{Fault, LoadError};
use charter_authz::folder::Folder;

/// Holds a folder against its manifest.
///
/// # Errors
///
/// The folder is not what its manifest lists, or must have one and has none.
pub fn check_manifest(folder: &Folder, demanded: bool) -> Result<Option<u64>, LoadError> {
    let whole = |fault| LoadError::new(vec![fault]);
    match Manifest::read(folder).map_err(whole)? {
        Some(manifest) => {
            manifest.verify(folder).map_err(LoadError::new)?;
            Ok(Some(manifest.version))
        }
        None if demanded => Err(whole(
            Fault::new(
                "the folder has no `manifest.json`, and the setting `policies.manifest` demands one",
            )
            .help("write it with `charter policy manifest DIR`"),
        )),
        None => Ok(None),
    }
}
