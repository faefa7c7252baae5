//! Which invariants are to be proved: the folder's own, and those that were in force at start.

use std::collections::BTreeMap;

use cedar_policy::Policy;
use charter_authz::snapshot::Invariant;

pub(super) struct InvariantToProve<'a> {
    pub(super) invariant: &'a Invariant,
    pub(super) at_start: bool,
}

/// An invariant that both have with the same text is proved once.
pub(super) fn to_prove<'a>(
    own: &'a [Invariant],
    at_start: &'a [Invariant],
) -> Vec<InvariantToProve<'a>> {
    let known: BTreeMap<&str, Vec<String>> =
        own.iter().map(|i| (i.name.as_str(), text(i))).collect();
    let at_start = at_start
        .iter()
        .filter(|earlier| known.get(earlier.name.as_str()) != Some(&text(earlier)))
        .map(|invariant| InvariantToProve {
            invariant,
            at_start: true,
        });
    let own = own.iter().map(|invariant| InvariantToProve {
        invariant,
        at_start: false,
    });
    own.chain(at_start).collect()
}

/// The texts of an invariant's policies, sorted by `@id`.
pub(super) fn text(invariant: &Invariant) -> Vec<String> {
    let mut policies: Vec<_> = invariant.policies.policies().collect();
    policies.sort_by(|one, other| one.id().cmp(other.id()));
    let text = |policy: &Policy| policy.to_cedar().unwrap_or_default();
    policies.into_iter().map(text).collect()
}
