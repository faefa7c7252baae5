//! Which invariants are to be proved: the folder's own, and those that were in force at start.

use std::collections::BTreeMap;

use cedar_policy::{Schema, ValidationError, ValidationMode, Validator};
use charter_authz::snapshot::Invariant;

use super::findings::{Claim, ProofFinding, not_proved};
use crate::policy_set;

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

/// Takes out those that were in force before and name what the schema no longer has: of each request they
/// would only say that they do not fit.
pub(super) fn take_unfit(
    invariants: &mut Vec<InvariantToProve<'_>>,
    schema: &Schema,
) -> Vec<ProofFinding> {
    let mut unfit = Vec::new();
    invariants.retain(|to_prove| {
        let invariant = to_prove.invariant;
        let Some(what) = to_prove.at_start.then(|| misfit(invariant, schema)).flatten() else {
            return true;
        };
        unfit.push(ProofFinding {
            claim: Claim::Invariant {
                name: invariant.name.clone(),
                at_start: true,
            },
            request_type: None,
            and_more: 0,
            verdict: not_proved(format!(
                "it names what the schema no longer has: {what}; after a review `charter policy approve` \
                 takes the folder without it"
            )),
        });
        false
    });
    unfit
}

fn misfit(invariant: &Invariant, schema: &Schema) -> Option<String> {
    let validator = Validator::new(schema.clone());
    let result = validator.validate(&invariant.policies, ValidationMode::Strict);
    let said = |error: &ValidationError| {
        let text = error.to_string();
        let policy = format!("for policy `{}`: ", error.policy_id());
        text.strip_prefix(&policy).unwrap_or(&text).to_owned()
    };
    // Cedar's own order changes from run to run.
    result.validation_errors().map(said).min()
}

/// The texts of an invariant's policies, sorted by `@id`.
pub(super) fn text(invariant: &Invariant) -> Vec<String> {
    let mut policies: Vec<_> = invariant.policies.policies().collect();
    policies.sort_by(|one, other| one.id().cmp(other.id()));
    policies.into_iter().map(policy_set::text).collect()
}
