//! `manifest.json` lists a folder's files, so that an incomplete or rolled-back folder is
//! recognised.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use charter_authz::fault::FolderFault;
use charter_authz::folder::Folder;

/// File name within the folder.
pub const NAME: &str = "manifest.json";

/// The expected content of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "an object with `version` and `files`"
)]
pub struct Manifest {
    /// Grows with each edit; a folder with a lower version is refused.
    pub version: u64,
    /// SHA-256 of each file in lowercase hex, by name.
    pub files: BTreeMap<String, String>,
}

impl Manifest {
    /// The manifest for a folder's current files.
    #[must_use]
    pub fn of(folder: &Folder, version: u64) -> Self {
        let files = folder.files().iter().filter(|(name, _)| *name != NAME);
        Self {
            version,
            files: files
                .map(|(name, text)| (name.clone(), sha256(text.as_bytes())))
                .collect(),
        }
    }

    /// Reads a folder's manifest; `None` if there is none.
    ///
    /// # Errors
    ///
    /// The manifest cannot be parsed.
    pub fn read(folder: &Folder) -> Result<Option<Self>, FolderFault> {
        let Some(source) = folder.manifest() else {
            return Ok(None);
        };
        if let Some(fault) = FolderFault::byte_order_mark(source) {
            return Err(fault);
        }
        let text: &str = source.inner();
        serde_json::from_str(text).map(Some).map_err(|error| {
            FolderFault::new(format!("the manifest cannot be read: {error}"))
                .help("write it with `charter policy manifest --version NUMBER`, last of all files")
                .at(source, offset(text, error.line(), error.column()), 0)
        })
    }

    /// Checks the folder against the manifest.
    ///
    /// # Errors
    ///
    /// One fault for each file that is missing, changed or not listed.
    pub fn verify(&self, folder: &Folder) -> Result<(), Vec<FolderFault>> {
        let found = Self::of(folder, self.version).files;
        let mut faults = Vec::new();
        let names: std::collections::BTreeSet<&String> =
            found.keys().chain(self.files.keys()).collect();
        for name in names {
            let fault = match (self.files.get(name), found.get(name)) {
                (Some(listed), Some(found)) if listed == found => continue,
                (Some(_), Some(_)) => format!("`{name}` is not the file that the manifest lists"),
                (Some(_), None) => format!("`{name}` is listed in the manifest and missing"),
                (None, _) => format!("`{name}` is not listed in the manifest"),
            };
            faults.push(FolderFault::new(fault).help(
                "the folder may still be on its way; when it is whole, `charter policy manifest` lists it \
                 (of a domain, with `--domain NAME`)",
            ));
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }
}

/// Line and column count from 1; column 0 is the end of the previous line.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    before
        .saturating_add(column.saturating_sub(1))
        .min(text.len())
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
