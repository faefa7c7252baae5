//! Cedar's validator in strict mode; its warnings are faults here.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use cedar_policy::{
    EntityUid, PolicyId, PolicySet, Schema, ValidationError, ValidationMode, ValidationResult,
    Validator,
};

use super::expressions;
use crate::fault::FolderFault;
use crate::source::Source;

/// The level for Cedar's level validation (RFC 76), larger than any path such as
/// `principal.account.organization.plan_tier`. At every level it rejects attributes of entity
/// literals, such as `User::"…".is_active`.
const MAX_LEVEL: u32 = 1_000;

/// Part of Cedar's message, and the advice for it.
const LITERALS: (&str, &str) = (
    "entity literals cannot be dereferenced",
    "only the entities of the request have attributes, tags and parents; compare with the literal \
     instead, as in `principal == …` or `resource in …`",
);

pub(super) fn validate(
    schema: &Schema,
    policies: &PolicySet,
    files: &BTreeMap<PolicyId, Source>,
    faults: &mut Vec<FolderFault>,
) {
    let validator = Validator::new(schema.clone());
    // Level validation doubles the time, and most policies have no entity literal.
    let set = |named: bool| {
        let policies = policies.policies();
        let wanted = policies.filter(|policy| expressions::has_entity_literal(policy) == named);
        PolicySet::from_policies(wanted.cloned()).map_err(Box::new)
    };
    let (named, others) = match (set(true), set(false)) {
        (Ok(named), Ok(others)) => (named, others),
        (Err(error), _) | (_, Err(error)) => {
            return faults.push(FolderFault::new(error.to_string()));
        }
    };
    let results = [
        validator.validate(&others, ValidationMode::Strict),
        validator.validate_with_level(&named, ValidationMode::Strict, MAX_LEVEL),
    ];
    let errors: Vec<&ValidationError> = results
        .iter()
        .flat_map(ValidationResult::validation_errors)
        .filter(|error| !is_about_an_action(error, files))
        .collect();
    let erroneous: BTreeSet<&PolicyId> = errors.iter().map(|error| error.policy_id()).collect();
    let errors = errors
        .into_iter()
        .map(|error| (error.policy_id(), error as &dyn miette::Diagnostic));
    // A policy that names something unknown is also impossible; one fault is enough.
    let warnings = results
        .iter()
        .flat_map(ValidationResult::validation_warnings)
        .filter(|warning| !erroneous.contains(warning.policy_id()))
        .map(|warning| (warning.policy_id(), warning as &dyn miette::Diagnostic));
    let mut found: Vec<(&str, usize, Vec<FolderFault>)> = errors
        .chain(warnings)
        .filter_map(|(id, reported)| {
            let source = files.get(id)?;
            let start = reported
                .labels()
                .and_then(|mut labels| labels.next())
                .map_or(0, |label| label.offset());
            let faults = FolderFault::from_cedar(source, reported).into_iter();
            let faults = faults.map(|fault| fault.help_if(LITERALS));
            Some((source.name(), start, faults.collect()))
        })
        .collect();
    // Cedar's own order changes from run to run.
    found.sort_by_cached_key(|(name, start, faults)| {
        (
            *name,
            *start,
            faults.iter().map(FolderFault::words).collect::<Vec<_>>(),
        )
    });
    faults.extend(found.into_iter().flat_map(|(_, _, faults)| faults));
}

/// Whether the literal is an action: the schema's actions and groups are available to each request.
fn is_about_an_action(error: &ValidationError, files: &BTreeMap<PolicyId, Source>) -> bool {
    if !matches!(error, ValidationError::EntityDerefLevelViolation(_)) {
        return false;
    }
    let source = files.get(error.policy_id());
    let label = miette::Diagnostic::labels(error).and_then(|mut labels| labels.next());
    let written = source.zip(label).and_then(|(source, label)| {
        let end = label.offset().saturating_add(label.len());
        source.inner().get(label.offset()..end)
    });
    let literal = written.and_then(|text| EntityUid::from_str(text).ok());
    literal.is_some_and(|uid| uid.type_name().basename() == "Action")
}
