//! The folder gate: the folder matches its manifest.

use crate::manifest::Manifest;
use charter_authz::fault::{FolderFault, LoadError};
use charter_authz::folder::Folder;

/// Checks a folder against its manifest and returns the manifest's version.
///
/// # Errors
///
/// The folder does not match its manifest, or a required manifest is missing.
pub fn check_manifest(folder: &Folder, demanded: bool) -> Result<Option<u64>, LoadError> {
    let whole = |fault| LoadError::new(vec![fault]);
    match Manifest::read(folder).map_err(whole)? {
        Some(manifest) => {
            manifest.verify(folder).map_err(LoadError::new)?;
            Ok(Some(manifest.version))
        }
        None if demanded => Err(whole(
            FolderFault::new(
                "the folder has no `manifest.json`, and the setting `policies.manifest` demands one",
            )
            .help("write it with `charter policy manifest DIR`"),
        )),
        None => Ok(None),
    }
}
