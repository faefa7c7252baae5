//! Reports that name the folder they are about.

use std::path::Path;

use charter_authz::fault::LoadError;
use charter_authz::folder::Folder;
use serde::Serialize;
use serde_json::Value;

/// A line with the folder and the digest of its policies.
#[must_use]
pub fn line(dir: &Path, digest: &str) -> String {
    format!("folder `{}`, digest {digest}\n", dir.display())
}

/// A report as a JSON object with the additional members `folder` and `digest`.
///
/// # Errors
///
/// The report has no JSON form.
pub fn document(dir: &Path, digest: &str, verdict: impl Serialize) -> serde_json::Result<Value> {
    Ok(named(dir, Some(digest), serde_json::to_value(verdict)?))
}

/// The faults of a folder with the same members. The digest of one that cannot be read is null.
#[must_use]
pub fn document_of_faults(dir: &Path, error: &LoadError) -> Value {
    let folder = Folder::read(dir).ok();
    let digest = folder.as_ref().map(|folder| &**folder.digest());
    named(dir, digest, error.document())
}

fn named(dir: &Path, digest: Option<&str>, mut document: Value) -> Value {
    if let Value::Object(members) = &mut document {
        members.insert("folder".to_owned(), dir.display().to_string().into());
        members.insert("digest".to_owned(), digest.into());
    }
    document
}
