//! The policy set that is looked at, with what was seen of it before.

use cedar_policy::{Effect, Policy};

use super::invariants::ToProve;
use super::known::{Key, Known, hash};
use crate::counterexample::Named;
use charter_authz::snapshot::Snapshot;

/// The claim under which is kept what was seen of a policy.
pub(super) const SEEN: &str = "seen";

/// The set that is looked at.
pub(super) struct Subject<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// Forbids first, then by id.
    pub(super) policies: Vec<&'a Policy>,
    /// The name of each one's text.
    pub(super) texts: Vec<Key>,
    /// What was seen of each before, for each kind of request.
    pub(super) seen: Vec<Vec<u8>>,
    pub(super) invariants: &'a [ToProve<'a>],
    pub(super) known: &'a Known<'a>,
}

impl<'a> Subject<'a> {
    pub(super) fn new(
        snapshot: &'a Snapshot,
        invariants: &'a [ToProve<'a>],
        known: &'a Known<'a>,
    ) -> Self {
        let mut policies: Vec<&Policy> = snapshot.policies().policies().collect();
        policies.sort_by_cached_key(|policy| {
            (policy.effect() == Effect::Permit, policy.id().to_string())
        });
        let texts: Vec<Key> = policies.iter().map(|policy| name_of(policy)).collect();
        let seen = texts
            .iter()
            .map(|text| known.get(&known.key(SEEN, &[*text])).unwrap_or_default())
            .collect();
        Self {
            snapshot,
            policies,
            texts,
            seen,
            invariants,
            known,
        }
    }

    /// The name of a claim about one policy.
    pub(super) fn key_of(&self, claim: &str, index: usize) -> Option<Key> {
        let text = self.texts.get(index)?;
        Some(self.known.key(claim, &[*text]))
    }

    pub(super) fn named(&self, policy: &str) -> Named {
        Named::new(policy, self.snapshot.location(policy))
    }
}

/// The name of a policy's text.
pub(super) fn name_of(policy: &Policy) -> Key {
    hash(&[&policy.to_cedar().unwrap_or_else(|| policy.to_string())])
}
