//! Cedar's validator in strict mode; its warnings are faults here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use cedar_policy::{
    EntityUid, Policy, PolicyId, PolicySet, PolicySetError, Schema, ValidationError,
    ValidationMode, Validator,
};
use miette::Diagnostic;

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
    let mut validation = Validation {
        validator: Validator::new(schema.clone()),
        found: Vec::new(),
    };
    for policy in policies.policies() {
        if let Some(source) = files.get(policy.id())
            && let Err(error) = validation.look_at(policy, source)
        {
            faults.push(FolderFault::new(error.to_string()));
        }
    }
    let mut found = validation.found;
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

struct Validation<'a> {
    validator: Validator,
    /// File, offset and faults.
    found: Vec<(&'a str, usize, Vec<FolderFault>)>,
}

impl<'a> Validation<'a> {
    fn look_at(&mut self, policy: &Policy, source: &'a Source) -> Result<(), Box<PolicySetError>> {
        // Cedar hashes an error with the whole text that it lies in. Where one is to be expected, the text is the
        // policy's alone, or thousands in a file would take minutes.
        let place = policy.as_ref().loc().map(|loc| loc.span);
        let alone = place.filter(|_| !self.found.is_empty()).and_then(|span| {
            let text = source
                .inner()
                .get(span.offset()..span.offset() + span.len())?;
            let alone = Policy::parse(Some(policy.id().clone()), text).ok()?;
            Some((alone, span.offset()))
        });
        let (policy, begin) = match alone {
            Some((alone, begin)) => (Cow::Owned(alone), begin),
            None => (Cow::Borrowed(policy), 0),
        };
        // Level validation doubles the time, and most policies have no entity literal.
        let has_literal = expressions::has_entity_literal(&policy);
        let set = PolicySet::from_policies([policy.into_owned()]).map_err(Box::new)?;
        let result = if has_literal {
            self.validator
                .validate_with_level(&set, ValidationMode::Strict, MAX_LEVEL)
        } else {
            self.validator.validate(&set, ValidationMode::Strict)
        };
        let errors: Vec<&dyn Diagnostic> = result
            .validation_errors()
            .filter(|error| !is_about_an_action(error, source, begin))
            .map(|error| error as _)
            .collect();
        // A policy that names something unknown is also impossible; one fault is enough.
        let warnings = result.validation_warnings().map(|warning| warning as _);
        let warnings = warnings.filter(|_| errors.is_empty());
        for reported in errors.iter().copied().chain(warnings) {
            let label = reported.labels().and_then(|mut labels| labels.next());
            let start = label.map_or(0, |label| begin + label.offset());
            let faults = FolderFault::from_cedar(source, reported).into_iter();
            let faults = faults.map(|fault| fault.moved(begin).help_if(LITERALS));
            self.found.push((source.name(), start, faults.collect()));
        }
        Ok(())
    }
}

/// Whether the literal is an action: the schema's actions and groups are available to each request.
fn is_about_an_action(error: &ValidationError, source: &Source, begin: usize) -> bool {
    if !matches!(error, ValidationError::EntityDerefLevelViolation(_)) {
        return false;
    }
    let label = error.labels().and_then(|mut labels| labels.next());
    let written = label.and_then(|label| {
        let start = begin + label.offset();
        source.inner().get(start..start + label.len())
    });
    let literal = written.and_then(|text| EntityUid::from_str(text).ok());
    literal.is_some_and(|uid| uid.type_name().basename() == "Action")
}
