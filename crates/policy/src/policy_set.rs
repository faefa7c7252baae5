//! Sets of some of a folder's policies, for questions about a part of it.

use cedar_policy::{Policy, PolicySet};

/// A set of some policies.
pub(crate) fn set<'p>(policies: impl IntoIterator<Item = &'p Policy>) -> Result<PolicySet, String> {
    PolicySet::from_policies(policies.into_iter().cloned()).map_err(|error| error.to_string())
}
