//! `manifest.json`: the list of a folder's files, by which a folder that is half written or rolled
//! back is told from one that is meant.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use charter_authz::fault::Fault;
use charter_authz::folder::Folder;

/// The file's name within the folder.
pub const NAME: &str = "manifest.json";

/// What a complete folder holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Grows with each edit; a folder with a smaller one is not taken.
    pub version: u64,
    /// Each file's SHA-256 in lowercase hex, by its name within the folder.
    pub files: BTreeMap<String, String>,
}

impl Manifest {
    /// The manifest of a folder as it is.
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

    /// The manifest that lies in a folder; `None` where there is none.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn read(folder: &Folder) -> Result<Option<Self>, Fault> {
        let Some(source) = folder.manifest() else {
            return Ok(None);
        };
        let text: &str = source.inner();
        serde_json::from_str(text).map(Some).map_err(|error| {
            Fault::new(format!("the manifest cannot be read: {error}"))
                .help("write it with `charter policy manifest --version NUMBER`, last of all files")
                .at(source, offset(text, error.line(), error.column()), 0)
        })
    }

    /// Holds the folder against its manifest.
    ///
    /// # Errors
    ///
    /// Each file that is missing, other than listed, or not listed.
    pub fn verify(&self, folder: &Folder) -> Result<(), Vec<Fault>> {
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
            faults.push(Fault::new(fault).help(
                "the folder may still be on its way; when it is whole, `charter policy manifest` lists it",
            ));
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }
}

/// Lines and columns count from 1; column 0 is the end of the line before.
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
