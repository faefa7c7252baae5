//! Policy sets made of some of a folder's policies.

use cedar_policy::{Policy, PolicySet};

pub(crate) fn set<'p>(policies: impl IntoIterator<Item = &'p Policy>) -> Result<PolicySet, String> {
    PolicySet::from_policies(policies.into_iter().cloned()).map_err(|error| error.to_string())
}

/// The policy as written.
#[expect(
    clippy::expect_used,
    reason = "only links of templates have no text, and templates are refused"
)]
pub(crate) fn text(policy: &Policy) -> String {
    policy.to_cedar().expect("no template")
}
