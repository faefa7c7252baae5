//! Reports that name the folder they are about.

use std::path::Path;

use charter_authz::snapshot::Snapshot;
use serde::Serialize;
use serde_json::Value;

/// A line with the folder and its digest.
#[must_use]
pub fn line(dir: &Path, snapshot: &Snapshot) -> String {
    format!("folder `{}`, digest {}\n", dir.display(), snapshot.digest())
}

/// A report as a JSON object with the additional members `folder` and `digest`.
///
/// # Errors
///
/// The report has no JSON form.
pub fn document(
    dir: &Path,
    snapshot: &Snapshot,
    verdict: impl Serialize,
) -> serde_json::Result<Value> {
    let mut document = serde_json::to_value(verdict)?;
    if let Value::Object(members) = &mut document {
        members.insert("folder".to_owned(), dir.display().to_string().into());
        members.insert("digest".to_owned(), snapshot.digest().to_string().into());
    }
    Ok(document)
}
