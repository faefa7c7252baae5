//! The names of the files and directories of a policy folder.

use std::path::Path;

pub const SCHEMA: &str = "schema.cedarschema";

/// Directory of the invariants.
pub(super) const INVARIANTS: &str = "invariants";
/// Directory of the examples.
pub(super) const TESTS: &str = "tests";

/// The optional list of the folder's files.
pub(super) const MANIFEST: &str = "manifest.json";

fn has_extension(name: impl AsRef<Path>, extension: &str) -> bool {
    name.as_ref()
        .extension()
        .is_some_and(|found| found == extension)
}

/// Whether a file of this name holds policies that take effect.
pub fn is_policy(name: &str) -> bool {
    !name.contains('/') && has_extension(name, "cedar")
}

/// Whether a file of this name holds examples.
pub fn is_test(name: &str) -> bool {
    is_below(name, TESTS)
}

pub(super) fn is_below(name: &str, folder: &str) -> bool {
    name.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}
