//! The names of the files and directories of a policy folder.

use std::path::{Path, PathBuf};

pub const SCHEMA: &str = "schema.cedarschema";

/// Directory of the invariants.
pub(super) const INVARIANTS: &str = "invariants";
/// Directory of the examples.
pub(super) const TESTS: &str = "tests";

/// Directory of the domains of one's own, each a policy folder.
pub const DOMAINS: &str = "domains";
/// Entities of a domain of one's own.
pub const ENTITIES: &str = "entities.json";
/// The requests that a gateway asks about, as actions and resources.
pub const ROUTES: &str = "routes.toml";

/// The longest name of a domain of one's own.
pub const MAX_DOMAIN_NAME: usize = 63;

/// Whether a domain of one's own may have this name: it is part of addresses and of decision records.
#[must_use]
pub fn is_domain_name(name: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_DOMAIN_NAME).contains(&name.len())
        && !name.starts_with('-')
        && name.bytes().all(is_of_name)
}

/// The name of the domain of one's own that a folder holds: it is directly below one called `domains`.
pub(super) fn custom_domain_name(dir: &Path) -> Option<String> {
    // By its place, even if that is a link; a path such as `.` has to be resolved first.
    name_below_domains(dir).or_else(|| name_below_domains(&std::fs::canonicalize(dir).ok()?))
}

pub(super) fn name_below_domains(dir: &Path) -> Option<String> {
    let is_below = dir.parent().and_then(Path::file_name)? == DOMAINS;
    let name = dir.file_name()?.to_string_lossy();
    is_below.then(|| name.into_owned())
}

/// Where a folder would lie that has no place: that of a domain is directly below `domains`.
#[must_use]
pub fn nominal_place(domain: Option<&str>) -> PathBuf {
    domain.map_or_else(PathBuf::new, |name| Path::new(DOMAINS).join(name))
}

/// Whether a folder holds a domain of one's own.
#[must_use]
pub fn is_custom_domain(dir: &Path) -> bool {
    custom_domain_name(dir).is_some()
}

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
