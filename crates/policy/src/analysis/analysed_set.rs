//! The policy set under analysis, with what earlier runs observed of it.

use cedar_policy::{Effect, Policy};

use super::claim_cache::{ClaimCache, Key, hash};
use super::invariants::InvariantToProve;
use crate::counterexample::LocatedPolicy;
use crate::policy_set;
use charter_authz::snapshot::Snapshot;

/// Cache label of the observations of one policy.
pub(super) const SEEN: &str = "seen";

pub(super) struct AnalysedSet<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// Forbids first, then by id.
    pub(super) policies: Vec<&'a Policy>,
    /// Hashes of the policies' texts, in the order of `policies`.
    pub(super) texts: Vec<Key>,
    /// Cached observation bits: for each policy, one byte for each request type.
    pub(super) seen: Vec<Vec<u8>>,
    pub(super) invariants: &'a [InvariantToProve<'a>],
    pub(super) known: &'a ClaimCache<'a>,
}

impl<'a> AnalysedSet<'a> {
    pub(super) fn new(
        snapshot: &'a Snapshot,
        invariants: &'a [InvariantToProve<'a>],
        known: &'a ClaimCache<'a>,
    ) -> Self {
        let mut policies: Vec<&Policy> = snapshot.policies().policies().collect();
        policies.sort_by_cached_key(|policy| {
            (policy.effect() == Effect::Permit, policy.id().to_string())
        });
        let texts: Vec<Key> = policies.iter().map(|policy| text_key(policy)).collect();
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

    /// Cache key of a claim about one policy.
    pub(super) fn key_of(&self, claim: &str, index: usize) -> Option<Key> {
        let text = self.texts.get(index)?;
        Some(self.known.key(claim, &[*text]))
    }

    pub(super) fn located(&self, policy: &str) -> LocatedPolicy {
        LocatedPolicy::new(policy, self.snapshot.location(policy))
    }
}

/// Hash of a policy's text.
pub(super) fn text_key(policy: &Policy) -> Key {
    hash(&[&policy_set::text(policy)])
}
