//! Which file of a policy folder holds what, by its name.

use std::path::Path;

/// The schema's file name.
pub const SCHEMA: &str = "schema.cedarschema";

/// Below the folder: what must hold whatever anybody edits.
pub(super) const INVARIANTS: &str = "invariants";
/// Below the folder: requests with the answer that is expected.
pub(super) const TESTS: &str = "tests";

/// Whoever wants to be sure that a folder is whole puts a list of its files in.
pub(super) const MANIFEST: &str = "manifest.json";

fn has_extension(name: impl AsRef<Path>, extension: &str) -> bool {
    name.as_ref()
        .extension()
        .is_some_and(|found| found == extension)
}

/// Whether a file of this name within the folder holds policies that are in force.
pub fn is_policy(name: &str) -> bool {
    !name.contains('/') && has_extension(name, "cedar")
}

/// Whether a file of this name within the folder holds examples.
pub fn is_test(name: &str) -> bool {
    is_below(name, TESTS)
}

pub(super) fn is_below(name: &str, folder: &str) -> bool {
    name.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}
