//! One of the two sets that are compared.

use cedar_policy::Policy;

use crate::counterexample::LocatedPolicy;
use crate::effective_decision::EffectiveDecision;
use crate::request_type::RequestType;
use charter_authz::snapshot::Snapshot;

pub(super) struct ComparedSet<'a> {
    snapshot: &'a Snapshot,
    pub(super) policies: Vec<&'a Policy>,
}

impl<'a> ComparedSet<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            policies: snapshot.policies().policies().collect(),
            snapshot,
        }
    }

    /// Extra policies of the old side are derived from its schema.
    fn located(&self, policy: &str) -> LocatedPolicy {
        let location = self.snapshot.location(policy);
        let mut located = LocatedPolicy::new(policy, location);
        if location.is_none() {
            "old schema".clone_into(&mut located.place);
        }
        located
    }

    pub(super) fn deciding(&self, served: &EffectiveDecision) -> Vec<LocatedPolicy> {
        let mut deciding: Vec<LocatedPolicy> = served
            .by
            .iter()
            .map(|id| self.located(id.as_ref()))
            .collect();
        deciding.sort();
        deciding
    }
}

/// The policies whose scope fits.
pub(super) fn matching_policies<'a>(
    policies: &[&'a Policy],
    request_type: &RequestType<'_>,
) -> Vec<&'a Policy> {
    let policies = policies.iter().copied();
    policies
        .filter(|policy| request_type.may_match(policy))
        .collect()
}
