//! From a folder's texts to a snapshot: parse, validate, hold against the service's own names.
//!
//! It goes on after a fault as far as it can, so that one run shows them all.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::thread;

use cedar_policy::{
    Authorizer, EntityUid, Policy, PolicyId, PolicySet, Schema, SchemaFragment, ValidationError,
    ValidationMode, ValidationResult, Validator,
};
use serde_json::Value;

use super::catalogue::Catalogue;
use super::conformance;
use super::expressions;
use super::facts::FactsCache;
use super::failures::Failures;
use super::fault::{Fault, Source};
use super::folder::Folder;
use super::index::Index;
use super::known::{self, Known};
use super::limits::{self, Language};
use super::refusal;
use super::snapshot::{Invariant, Place, Snapshot};
use super::trial;

/// Cedar's parser and validator recurse; `limits` keeps them shallow, this is the second wall.
const STACK_BYTES: usize = 64 * 1024 * 1024;
const MAX_ID_BYTES: usize = 128;
/// How many entities may lie upon each other in a path like `principal.account.organization.plan_tier`:
/// more than there are. Cedar's level validation (its RFC 76) refuses at every level what is asked
/// of an entity that is written out, such as `User::"…".is_active`.
const MAX_LEVEL: u32 = 1_000;

/// Part of Cedar's message, and what to do about it.
const LITERALS: (&str, &str) = (
    "entity literals cannot be dereferenced",
    "only the entities of the request have attributes, tags and parents; compare with the literal \
     instead, as in `principal == …` or `resource in …`",
);

/// Checks what was read of a policy folder.
///
/// # Errors
///
/// Every fault that was found.
pub(super) fn load(folder: &Folder, known: &Known<'_>) -> Result<Snapshot, Vec<Fault>> {
    thread::scope(|scope| {
        thread::Builder::new()
            .name("policies".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || check(folder, known))
            .map_err(|error| vec![Fault::new(format!("cannot start a thread: {error}"))])?
            .join()
            .unwrap_or_else(|_| Err(vec![Fault::new("reading the policies failed unexpectedly")]))
    })
}

fn check(folder: &Folder, known: &Known<'_>) -> Result<Snapshot, Vec<Fault>> {
    let mut faults = limits::check(&folder.schema, Language::Schema);
    let schema = if faults.is_empty() {
        parse_schema(&folder.schema, &mut faults)
    } else {
        None
    };
    let policies = parse_policies(&folder.policies, known, &mut faults);
    let Some((schema, json)) = schema else {
        return Err(faults);
    };
    let nothing = PolicySet::new();
    let unchecked = match known {
        Known::Itself => &nothing,
        _ if known.vouches_under(&folder.schema) => &policies.news,
        _ => &policies.set,
    };
    validate(&schema, unchecked, &policies.files, &mut faults);
    let invariants = invariants(folder, &schema, &mut faults);
    let catalogue = match Catalogue::read(&folder.schema, &schema, &json) {
        Ok(catalogue) => catalogue,
        Err(more) => {
            faults.extend(more);
            return Err(faults);
        }
    };
    if !faults.is_empty() {
        return Err(faults);
    }
    let whole = |error: &dyn std::error::Error| vec![Fault::new(error.to_string())];
    let actions = schema.action_entities().map_err(|error| whole(&error))?;
    if !matches!(known, Known::Itself) {
        let examples = conformance::check(&folder.schema, &schema, &json, &catalogue, &actions)?;
        let too_deep = trial::too_deep(unchecked.policies(), &examples);
        faults.extend(
            too_deep
                .map_err(|error| whole(&error))?
                .into_iter()
                .filter_map(|(policy, message)| policies.fault(policy, message)),
        );
        if !faults.is_empty() {
            return Err(faults);
        }
    }
    let index = Index::new(&policies.set, &catalogue, &actions).map_err(|error| whole(&error))?;
    Ok(Snapshot {
        schema,
        schema_source: Arc::clone(&folder.schema),
        schema_digest: folder.schema_digest().into(),
        places: places(&policies),
        sources: known::sources(&policies.files),
        invariants,
        policies: policies.set,
        index,
        catalogue,
        actions,
        digest: Arc::clone(folder.digest()),
        facts: FactsCache::new(),
        failures: Failures::default(),
        authorizer: Authorizer::new(),
    })
}

fn parse_schema(source: &Source, faults: &mut Vec<Fault>) -> Option<(Schema, Value)> {
    let text: &str = source.inner();
    let schema = match Schema::from_cedarschema_str(text) {
        Ok((schema, warnings)) => {
            for warning in warnings {
                faults.extend(Fault::from_cedar(source, &warning));
            }
            schema
        }
        Err(error) => {
            faults.extend(Fault::from_cedar(source, &error));
            return None;
        }
    };
    let json = SchemaFragment::from_cedarschema_str(text)
        .ok()
        .and_then(|(fragment, _)| fragment.to_json_value().ok());
    if json.is_none() {
        faults.push(Fault::new("the schema has no JSON form").at(source, 0, 0));
    }
    Some((schema, json?))
}

/// Each file of invariants is one, and has the form of a policy set.
fn invariants(folder: &Folder, schema: &Schema, faults: &mut Vec<Fault>) -> Vec<Invariant> {
    let mut invariants = Vec::new();
    for source in &folder.invariants {
        let policies = parse_policies(std::slice::from_ref(source), &Known::Nothing, faults);
        validate(schema, &policies.set, &policies.files, faults);
        let name = file_name(source);
        invariants.push(Invariant {
            name: name.strip_suffix(".cedar").unwrap_or(&name).to_owned(),
            places: places(&policies),
            policies: policies.set,
        });
    }
    invariants
}

/// The policies of all files, and the file of each.
struct Policies {
    set: PolicySet,
    /// Those that were not known before.
    news: PolicySet,
    files: BTreeMap<PolicyId, Source>,
}

fn parse_policies(sources: &[Source], known: &Known<'_>, faults: &mut Vec<Fault>) -> Policies {
    let mut policies = Policies {
        set: PolicySet::new(),
        news: PolicySet::new(),
        files: BTreeMap::new(),
    };
    for source in sources {
        if let Some(known) = known.policies(source) {
            policies.add_known(source, &known, faults);
            continue;
        }
        let over = limits::check(source, Language::Policies);
        if !over.is_empty() {
            faults.extend(over);
            continue;
        }
        match PolicySet::from_str(source.inner()) {
            Ok(parsed) => policies.add_file(source, &parsed, known, faults),
            Err(error) => faults.extend(Fault::from_cedar(source, &error)),
        }
    }
    policies
}

impl Policies {
    /// The policies of a file that is as it was.
    fn add_known(&mut self, source: &Source, known: &[&Policy], faults: &mut Vec<Fault>) {
        for policy in known {
            let start = policy.as_ref().loc().map(|loc| loc.span.offset());
            let (start, length) = first_line(source, start);
            let id = self.id_of(policy).unwrap_or_else(|fault| {
                faults.push(fault.at(source, start, length));
                PolicyId::new(format!("{}@{start}", file_name(source)))
            });
            if let Err(error) = self.set.add((*policy).clone()) {
                faults.push(Fault::new(error.to_string()).at(source, start, length));
            }
            self.files.insert(id, source.clone());
        }
    }

    fn add_file(
        &mut self,
        source: &Source,
        parsed: &PolicySet,
        known: &Known<'_>,
        faults: &mut Vec<Fault>,
    ) {
        for template in parsed.templates() {
            let (start, length) =
                first_line(source, template.as_ref().loc().map(|loc| loc.span.offset()));
            faults.push(
                Fault::new("templates are not used here, this one would never apply")
                    .help("write the entity out in place of `?principal` and `?resource`")
                    .at(source, start, length),
            );
        }
        // In the order of the file; Cedar numbers them.
        let mut in_order: Vec<(usize, &Policy)> = parsed
            .policies()
            .map(|policy| {
                let start = policy.as_ref().loc().map_or(0, |loc| loc.span.offset());
                (start, policy)
            })
            .collect();
        in_order.sort_by_key(|(start, _)| *start);
        if in_order.is_empty() && parsed.templates().next().is_none() {
            faults.push(
                Fault::new("the file holds no policy")
                    .help(
                        "remove it if that is meant; it may have been cut off while it was written",
                    )
                    .at(source, 0, 0),
            );
        }
        for (start, policy) in in_order {
            let (start, length) = first_line(source, Some(start));
            if let Some(fault) = expressions::too_costly(policy, source, (start, length)) {
                faults.push(fault);
                continue;
            }
            faults.extend(expressions::check(policy, source, (start, length)));
            let id = self.id_of(policy).unwrap_or_else(|fault| {
                faults.push(fault.at(source, start, length));
                // It is refused, but what else is wrong with it is to be told, too.
                PolicyId::new(format!("{}@{start}", file_name(source)))
            });
            let annotated = refusal::check(policy).into_iter();
            faults.extend(annotated.map(|fault| fault.at(source, start, length)));
            let policy = policy.new_id(id.clone());
            if !known.has(&policy) {
                // What cannot be added here cannot be added below, which tells.
                let _ = self.news.add(policy.clone());
            }
            if let Err(error) = self.set.add(policy) {
                faults.push(Fault::new(error.to_string()).at(source, start, length));
            }
            self.files.insert(id, source.clone());
        }
    }

    /// A fault of a policy as a whole.
    fn fault(&self, policy: &Policy, message: String) -> Option<Fault> {
        let source = self.files.get(policy.id())?;
        let start = policy.as_ref().loc().map(|loc| loc.span.offset());
        let (start, length) = first_line(source, start);
        Some(Fault::new(message).at(source, start, length))
    }

    fn id_of(&self, policy: &Policy) -> Result<PolicyId, Fault> {
        let Some(id) = policy.annotation("id") else {
            return Err(Fault::new("the policy has no `@id`")
                .help("logs and audits name policies by it; write `@id(\"…\")` in front"));
        };
        let well_formed = !id.is_empty()
            && id.len() <= MAX_ID_BYTES
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b":._-".contains(&byte));
        if !well_formed {
            return Err(
                Fault::new(format!("`{id}` cannot be the id of a policy")).help(format!(
                    "use 1 to {MAX_ID_BYTES} letters, digits, `:`, `.`, `_` and `-`"
                )),
            );
        }
        let id = PolicyId::new(id);
        if let Some(other) = self.files.get(&id) {
            return Err(
                Fault::new(format!("there are two policies with the id `{id}`"))
                    .help(format!("the other one is in `{}`", file_name(other))),
            );
        }
        Ok(id)
    }
}

/// Strict validation; what Cedar calls a warning is a fault here.
fn validate(
    schema: &Schema,
    policies: &PolicySet,
    files: &BTreeMap<PolicyId, Source>,
    faults: &mut Vec<Fault>,
) {
    let validator = Validator::new(schema.clone());
    // Level validation takes as long again, and most policies have nothing for it to find.
    let set = |named: bool| {
        let policies = policies.policies();
        let wanted = policies.filter(|policy| expressions::names_an_entity(policy) == named);
        PolicySet::from_policies(wanted.cloned()).map_err(Box::new)
    };
    let (named, others) = match (set(true), set(false)) {
        (Ok(named), Ok(others)) => (named, others),
        (Err(error), _) | (_, Err(error)) => return faults.push(Fault::new(error.to_string())),
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
    // A policy that names something unknown is impossible, too; that needs no second fault.
    let warnings = results
        .iter()
        .flat_map(ValidationResult::validation_warnings)
        .filter(|warning| !erroneous.contains(warning.policy_id()))
        .map(|warning| (warning.policy_id(), warning as &dyn miette::Diagnostic));
    let mut found: Vec<(&str, usize, Vec<Fault>)> = errors
        .chain(warnings)
        .filter_map(|(id, reported)| {
            let source = files.get(id)?;
            let start = reported
                .labels()
                .and_then(|mut labels| labels.next())
                .map_or(0, |label| label.offset());
            let faults = Fault::from_cedar(source, reported).into_iter();
            let faults = faults.map(|fault| fault.help_with(LITERALS));
            Some((source.name(), start, faults.collect()))
        })
        .collect();
    // Cedar's own order changes from run to run.
    found.sort_by_cached_key(|(name, start, faults)| (*name, *start, format!("{faults:?}")));
    faults.extend(found.into_iter().flat_map(|(_, _, faults)| faults));
}

/// Whether what is asked of an entity that is written out is asked of an action: the schema's actions
/// and their groups are there for each request.
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

/// Where each policy begins.
fn places(policies: &Policies) -> BTreeMap<String, Place> {
    // Once for each file: a file may hold thousands.
    let mut line_ends: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut places = BTreeMap::new();
    for (id, source) in &policies.files {
        let Some(policy) = policies.set.policy(id) else {
            continue;
        };
        let ends = line_ends.entry(source.name()).or_insert_with(|| {
            let ends = source.inner().match_indices('\n');
            ends.map(|(at, _)| at).collect()
        });
        let start = policy.as_ref().loc().map_or(0, |loc| loc.span.offset());
        let place = Place {
            file: file_name(source).into_owned(),
            line: ends.partition_point(|end| *end < start) + 1,
        };
        places.insert(id.to_string(), place);
    }
    places
}

pub(super) fn file_name(source: &Source) -> Cow<'_, str> {
    Path::new(source.name())
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
}

/// The line at an offset, as what a caret should underline.
fn first_line(source: &Source, start: Option<usize>) -> (usize, usize) {
    let start = start.unwrap_or(0);
    let length = source
        .inner()
        .get(start..)
        .and_then(|rest| rest.lines().next())
        .map_or(0, str::len);
    (start, length)
}
