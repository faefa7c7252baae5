//! Policies that recorded decisions or requests are asked of, and where they come from.

use std::path::PathBuf;

use serde_json::{Value, json};

use charter_authz::fault::LoadError;
use charter_authz::snapshot::Snapshot;
use charter_policy::folder_header;

pub(super) struct AskedSnapshot {
    /// `None`: recorded in the database.
    dir: Option<PathBuf>,
    pub(super) snapshot: Snapshot,
}

impl AskedSnapshot {
    /// # Errors
    ///
    /// The faults, with the folder.
    pub(super) fn load(dir: PathBuf) -> Result<Self, (PathBuf, LoadError)> {
        match Snapshot::load(&dir) {
            Ok(snapshot) => Ok(Self::of_folder(dir, snapshot)),
            Err(error) => Err((dir, error)),
        }
    }

    pub(super) const fn of_folder(dir: PathBuf, snapshot: Snapshot) -> Self {
        Self {
            dir: Some(dir),
            snapshot,
        }
    }

    pub(super) const fn recorded(snapshot: Snapshot) -> Self {
        Self {
            dir: None,
            snapshot,
        }
    }

    /// A line with the folder and the digest.
    pub(super) fn line(&self) -> String {
        let digest = self.snapshot.digest();
        match &self.dir {
            Some(dir) => folder_header::line(dir, digest),
            None => format!("policies recorded in the database, digest {digest}\n"),
        }
    }

    /// The document with the members `folder`, null for recorded policies, and `digest`.
    pub(super) fn named(&self, mut document: Value) -> Value {
        let folder = self.dir.as_ref().map(|dir| dir.display().to_string());
        if let Some(members) = document.as_object_mut() {
            members.insert("folder".to_owned(), json!(folder));
            members.insert("digest".to_owned(), json!(**self.snapshot.digest()));
        }
        document
    }
}
