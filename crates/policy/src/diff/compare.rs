//! Compares what two sets allow for one request type.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Policy, PolicyId, Schema};

use super::changes::RequestChange;
use super::compared_set::{ComparedSet, matching_policies};
use super::widening_query::{SortedPolicies, WideningQuery};
use crate::request_type::RequestType;
use crate::solver::SolverSession;
use charter_authz::snapshot::Snapshot;

pub(super) struct PolicySetPair<'a> {
    pub(super) schema: &'a Schema,
    pub(super) old: ComparedSet<'a>,
    pub(super) new: ComparedSet<'a>,
    /// Ids of the policies with the same text in both.
    alike: BTreeSet<PolicyId>,
}

impl<'a> PolicySetPair<'a> {
    pub(super) fn new(old: &'a Snapshot, new: &'a Snapshot, schema: &'a Schema) -> Self {
        let text = |policy: &Policy| policy.to_cedar();
        let known: BTreeMap<&PolicyId, Option<String>> = old
            .policies()
            .policies()
            .map(|policy| (policy.id(), text(policy)))
            .collect();
        let alike = new
            .policies()
            .policies()
            .filter(|policy| {
                let text = text(policy);
                text.is_some() && known.get(policy.id()) == Some(&text)
            })
            .map(|policy| policy.id().clone())
            .collect();
        Self {
            schema,
            old: ComparedSet::new(old),
            new: ComparedSet::new(new),
            alike,
        }
    }

    /// Compares one request type.
    pub(super) fn compare(
        &self,
        request_type: &RequestType<'_>,
        old: &[&'a Policy],
        session: &mut SolverSession<'_>,
    ) -> ComparisonResult {
        let new: Vec<&Policy> = matching_policies(&self.new.policies, request_type);
        let alike = self.alike(old, &new);
        let is_alike = |policy: &&Policy| alike.contains(policy.id());
        if old.len() == new.len() && old.iter().all(is_alike) && new.iter().all(is_alike) {
            return ComparisonResult::default();
        }
        let mut compared = ComparisonResult::default();
        for widening in [true, false] {
            let (from, to) = if widening {
                (old, &new[..])
            } else {
                (&new[..], old)
            };
            let query = WideningQuery {
                schema: self.schema,
                old: &self.old,
                new: &self.new,
                request_type,
                widening,
                from: SortedPolicies::new(from, &alike),
                to: SortedPolicies::new(to, &alike),
                alike: &alike,
            };
            let change = query.ask(session).map(|found| RequestChange {
                request_type: request_type.title(),
                reason: found.as_ref().err().cloned(),
                example: found.ok(),
            });
            if widening {
                compared.wider = change;
            } else {
                compared.narrower = change;
            }
        }
        compared
    }

    /// The policies that both sides apply with the same text. If only one side can be asked, there
    /// are none.
    fn alike(&self, old: &[&Policy], new: &[&Policy]) -> BTreeSet<PolicyId> {
        let ids = |policies: &[&Policy]| -> BTreeSet<PolicyId> {
            policies.iter().map(|policy| policy.id().clone()).collect()
        };
        let (old, new) = (ids(old), ids(new));
        old.into_iter()
            .filter(|id| new.contains(id) && self.alike.contains(id))
            .collect()
    }
}

/// Result for one request type.
#[derive(Default)]
pub(super) struct ComparisonResult {
    pub(super) wider: Option<RequestChange>,
    pub(super) narrower: Option<RequestChange>,
}
