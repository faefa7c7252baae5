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
    Authorizer, Policy, PolicyId, PolicySet, Schema, SchemaFragment, ValidationError,
    ValidationMode, Validator,
};
use serde_json::Value;

use super::catalogue::Catalogue;
use super::conformance;
use super::facts::FactsCache;
use super::fault::{Fault, Source};
use super::folder::Folder;
use super::index::Index;
use super::limits::{self, Language};
use super::snapshot::{Invariant, Place, PolicyFile, Snapshot};

/// Cedar's parser and validator recurse; `limits` keeps them shallow, this is the second wall.
const STACK_BYTES: usize = 64 * 1024 * 1024;
const MAX_ID_BYTES: usize = 128;

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
    if known.vouches_under(&folder.schema) {
        validate(&schema, &policies.news, &policies.files, &mut faults);
    } else if !matches!(known, Known::Itself) {
        validate(&schema, &policies.set, &policies.files, &mut faults);
    }
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
    conformance::check(&folder.schema, &schema, &catalogue)?;
    let whole = |error: &dyn std::error::Error| vec![Fault::new(error.to_string())];
    let actions = schema.action_entities().map_err(|error| whole(&error))?;
    let index = Index::new(&policies.set, &catalogue, &actions).map_err(|error| whole(&error))?;
    Ok(Snapshot {
        schema,
        schema_source: Arc::clone(&folder.schema),
        places: places(&policies),
        sources: sources(&policies),
        invariants,
        policies: policies.set,
        index,
        catalogue,
        actions,
        digest: Arc::clone(folder.digest()),
        facts: FactsCache::new(),
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

/// What was checked before and need not be again.
pub(super) enum Known<'a> {
    /// Nothing.
    Nothing,
    /// These files, and these policies under the same schema.
    Checked(&'a Snapshot),
    /// The folder itself was in force in this program: it is only parsed.
    Itself,
}

impl Known<'_> {
    /// The policies of a file, if it is known word for word.
    fn policies(&self, source: &Source) -> Option<Vec<&Policy>> {
        let Self::Checked(snapshot) = self else {
            return None;
        };
        let name = file_name(source);
        let file = snapshot.sources.get(&*name)?;
        if file.source.inner() != source.inner() {
            return None;
        }
        let policies = file.policies.iter();
        policies.map(|id| snapshot.policies.policy(id)).collect()
    }

    /// Whether it has that policy word for word.
    fn has(&self, policy: &Policy) -> bool {
        let Self::Checked(snapshot) = self else {
            return false;
        };
        let known = snapshot.policies.policy(policy.id());
        known.is_some_and(|known| known.to_cedar() == policy.to_cedar())
    }

    /// Whether what it has is valid under this schema.
    fn vouches_under(&self, schema: &Source) -> bool {
        matches!(self, Self::Checked(snapshot) if snapshot.schema_source.inner() == schema.inner())
    }
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
            let id = self.id_of(policy).unwrap_or_else(|fault| {
                faults.push(fault.at(source, start, length));
                // It is refused, but what else is wrong with it is to be told, too.
                PolicyId::new(format!("{}@{start}", file_name(source)))
            });
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
    let result = Validator::new(schema.clone()).validate(policies, ValidationMode::Strict);
    let errors = result
        .validation_errors()
        .map(|error| (error.policy_id(), error as &dyn miette::Diagnostic));
    let erroneous: BTreeSet<&PolicyId> = result
        .validation_errors()
        .map(ValidationError::policy_id)
        .collect();
    // A policy that names something unknown is impossible, too; that needs no second fault.
    let warnings = result
        .validation_warnings()
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
            Some((source.name(), start, Fault::from_cedar(source, reported)))
        })
        .collect();
    // Cedar's own order changes from run to run.
    found.sort_by_cached_key(|(name, start, faults)| (*name, *start, format!("{faults:?}")));
    faults.extend(found.into_iter().flat_map(|(_, _, faults)| faults));
}

/// Where each policy begins.
fn places(policies: &Policies) -> BTreeMap<String, Place> {
    let mut by_file: BTreeMap<&str, Vec<(usize, &PolicyId, &Source)>> = BTreeMap::new();
    for (id, source) in &policies.files {
        if let Some(policy) = policies.set.policy(id) {
            let start = policy.as_ref().loc().map_or(0, |loc| loc.span.offset());
            let places = by_file.entry(source.name()).or_default();
            places.push((start, id, source));
        }
    }
    let mut places = BTreeMap::new();
    for mut found in by_file.into_values() {
        found.sort_unstable_by_key(|(start, ..)| *start);
        let (mut line, mut counted) = (1, 0);
        for (start, id, source) in found {
            let between = source.inner().get(counted..start).unwrap_or_default();
            line += between.matches('\n').count();
            counted = start;
            let file = file_name(source).into_owned();
            places.insert(id.to_string(), Place { file, line });
        }
    }
    places
}

/// The policy files by name, each with the ids of its policies.
fn sources(policies: &Policies) -> BTreeMap<String, PolicyFile> {
    let mut files: BTreeMap<String, PolicyFile> = BTreeMap::new();
    for (id, source) in &policies.files {
        let file = files
            .entry(file_name(source).into_owned())
            .or_insert_with(|| PolicyFile {
                source: Arc::clone(source),
                policies: Vec::new(),
            });
        file.policies.push(id.clone());
    }
    files
}

fn file_name(source: &Source) -> Cow<'_, str> {
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
