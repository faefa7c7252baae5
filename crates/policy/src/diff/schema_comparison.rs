//! What two schemas have in common, and how policies of the old one apply under the new one.
//!
//! Requests are those of the new schema. Where a comparison is not possible, the change counts as
//! widening.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Effect, EntityUid, Policy, PolicyId, Schema, ValidationMode, Validator};
use serde::Serialize;

use super::changes::{DiffError, RequestChange};
use super::compare::{ComparisonResult, PolicySetPair};
use super::compared_set::matching_policies;
use super::{missing_entities, regrouped};
use crate::request_type::RequestType;
use crate::solver::{OpenReason, SolverSession};
use charter_authz::snapshot::Snapshot;

/// Names that only one of two schemas has, such as `action accounts:GetAccount`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SchemaChanges {
    /// Only in the new schema.
    pub added: Vec<String>,
    /// Only in the old schema.
    pub removed: Vec<String>,
    /// `@id`s of old policies that are not valid under the new schema.
    pub unfit: Vec<String>,
}

type RequestTypeKey = (String, String, String);

pub(super) struct SchemaComparison<'a> {
    /// The schema that requests are made by.
    pub(super) schema: &'a Schema,
    pub(super) changes: SchemaChanges,
    /// Request types that no longer exist, by permission.
    pub(super) gone: Vec<(String, RequestChange)>,
    /// The groups of each old request type's action.
    old_groups: BTreeMap<RequestTypeKey, BTreeSet<EntityUid>>,
    unfit: BTreeSet<PolicyId>,
    /// Old policies that change their meaning under the new schema.
    regrouped: BTreeSet<PolicyId>,
    /// Denials for entities that the old or the new schema lacks.
    not_in_old: Vec<Policy>,
    not_in_new: Vec<(EntityUid, Policy)>,
}

impl<'a> SchemaComparison<'a> {
    pub(super) fn of(old: &Snapshot, new: &'a Snapshot) -> Result<Self, DiffError> {
        let old_types = RequestType::all(old.schema())?;
        let new_types = RequestType::all(new.schema())?;
        let kept: BTreeSet<RequestTypeKey> = new_types.iter().map(RequestType::key).collect();
        let mut gone = Vec::new();
        let old_policies: Vec<&Policy> = old.policies().policies().collect();
        for request_type in &old_types {
            let may_be_allowed = matching_policies(&old_policies, request_type)
                .iter()
                .any(|policy| policy.effect() == Effect::Permit);
            if may_be_allowed && !kept.contains(&request_type.key()) {
                let change = unknown(request_type, "the new schema does not let it be asked");
                gone.push((request_type.permission().to_owned(), change));
            }
        }
        let validator = Validator::new(new.schema().clone());
        let unfit: BTreeSet<PolicyId> = validator
            .validate(old.policies(), ValidationMode::Strict)
            .validation_errors()
            .map(|error| error.policy_id().clone())
            .collect();
        let (before, after) = (names(old, &old_types), names(new, &new_types));
        Ok(Self {
            schema: new.schema(),
            changes: SchemaChanges {
                added: after.difference(&before).cloned().collect(),
                removed: before.difference(&after).cloned().collect(),
                unfit: unfit.iter().map(ToString::to_string).collect(),
            },
            gone,
            old_groups: old_types
                .iter()
                .map(|request_type| (request_type.key(), request_type.actions().clone()))
                .collect(),
            unfit,
            regrouped: regrouped::affected_policies(old.policies(), old.schema(), new.schema())?,
            not_in_old: missing_entities::missing_entities(new, old)?
                .iter()
                .map(missing_entities::denial_of)
                .collect::<Result<_, _>>()?,
            not_in_new: missing_entities::missing_entities(old, new)?
                .into_iter()
                .map(|uid| missing_entities::denial_of(&uid).map(|denial| (uid, denial)))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Compares one request type of the new schema.
    pub(super) fn compare<'s>(
        &'s self,
        sides: &PolicySetPair<'s>,
        request_type: &RequestType<'_>,
        session: &mut SolverSession<'_>,
    ) -> ComparisonResult {
        let old = match self.old_groups.get(&request_type.key()) {
            // The old schema did not have the request type: nothing was allowed.
            None => return sides.compare(request_type, &[], session),
            Some(groups) if groups != request_type.actions() => {
                let reason = "its action is in other groups now, the sets cannot be compared";
                return incomparable(request_type, reason);
            }
            Some(_) => matching_policies(&sides.old.policies, request_type),
        };
        let mut ids = old.iter().map(|policy| policy.id());
        if let Some(id) = ids.find(|id| self.regrouped.contains(*id)) {
            let reason = format!(
                "`{id}` looks for actions in groups, and these are others now, the sets cannot be \
                 compared"
            );
            return incomparable(request_type, &reason);
        }
        let could_permit = old.iter().any(|policy| policy.effect() == Effect::Permit);
        let (unfit, mut fit): (Vec<&'s Policy>, Vec<&'s Policy>) = old
            .into_iter()
            .partition(|policy| self.unfit.contains(policy.id()));
        let new_things = self.not_in_old.iter();
        fit.extend(new_things.filter(|denial| request_type.may_match(denial)));
        let mut compared = sides.compare(request_type, &fit, session);
        let mut gone = self.not_in_new.iter();
        if let Some((uid, _)) = gone.find(|(_, denial)| request_type.may_match(denial))
            && could_permit
            && compared
                .narrower
                .as_ref()
                .is_none_or(RequestChange::is_unfinished)
        {
            let reason = format!("nothing can be asked about {uid} any more");
            compared.narrower = Some(unknown(request_type, &reason));
        }
        // Without an invalid permit the old set looks narrower, without an invalid forbid wider.
        for policy in unfit {
            let reason = format!("the old `{}` does not fit the new schema", policy.id());
            let change = match policy.effect() {
                Effect::Permit => &mut compared.narrower,
                Effect::Forbid => &mut compared.wider,
            };
            // Another try would not help.
            if change.as_ref().is_none_or(RequestChange::is_unfinished) {
                *change = Some(unknown(request_type, &reason));
            }
        }
        compared
    }
}

/// Possibly wider and possibly narrower.
fn incomparable(request_type: &RequestType<'_>, reason: &str) -> ComparisonResult {
    ComparisonResult {
        wider: Some(unknown(request_type, reason)),
        narrower: Some(unknown(request_type, reason)),
    }
}

fn unknown(request_type: &RequestType<'_>, reason: &str) -> RequestChange {
    RequestChange {
        request_type: request_type.title(),
        example: None,
        reason: Some(OpenReason::from(reason)),
    }
}

fn names(snapshot: &Snapshot, types: &[RequestType<'_>]) -> BTreeSet<String> {
    let catalogue = snapshot.catalogue();
    let of = |kind: &'static str| move |name: String| format!("{kind} {name}");
    let entities = snapshot.schema().entity_types();
    let roles = catalogue.roles().map(str::to_owned);
    let permissions = catalogue.permissions().map(str::to_owned);
    let actions = types.iter().map(|t| t.permission().to_owned());
    entities
        .map(ToString::to_string)
        .map(of("entity"))
        .chain(roles.map(of("role")))
        .chain(permissions.map(of("permission")))
        .chain(actions.map(of("action")))
        .chain(types.iter().map(|t| format!("request {}", t.title())))
        .collect()
}
