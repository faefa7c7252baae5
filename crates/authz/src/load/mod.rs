//! Turns a folder's texts into a snapshot: parses, validates and checks them against the service's
//! names.
//!
//! Continues after a fault as far as possible, so that one run reports all of them.

mod conformance;
mod expressions;
mod limits;
mod policies;
mod previously_checked;
mod stack_trial;
mod unfilled_declarations;
mod validate;
mod vocabulary;

use std::path::Path;
use std::sync::Arc;
use std::thread;

use cedar_policy::{Authorizer, PolicySet, Schema, SchemaFragment};
use serde_json::Value;

use limits::CedarLanguage;
use policies::Policies;
use previously_checked::PreviouslyChecked;
use stack_trial::Examples;
use validate::validate;
use vocabulary::Vocabulary;

use super::catalogue::Catalogue;
use super::custom_domain::CustomDomain;
use super::facts::FactsCache;
use super::failures::RecentFailures;
use super::fault::{FolderFault, LoadError};
use super::folder::Folder;
use super::index::Index;
use super::names::check_visible;
use super::snapshot::{Invariant, Snapshot};
use super::source::{Source, file_name};
use charter_domain::permission::Permission;

/// Cedar's parser and validator recurse. `limits` bounds the depth; the large stack is a second
/// safeguard.
const LOADING_STACK_BYTES: usize = 64 * 1024 * 1024;

impl Snapshot {
    /// Reads and checks a policy folder. The error holds all faults: files that cannot be read,
    /// parsed or validated (warnings included), missing or duplicate `@id`s, and names that service
    /// and schema do not share.
    pub fn load(dir: &Path) -> Result<Self, LoadError> {
        Self::from_folder(&Folder::read(dir)?)
    }

    /// Checks a folder.
    pub fn from_folder(folder: &Folder) -> Result<Self, LoadError> {
        load(folder, &PreviouslyChecked::Nothing).map_err(LoadError::new)
    }

    /// Checks a folder; what is unchanged since `before` is neither parsed nor validated again.
    pub fn updated_from(before: &Self, folder: &Folder) -> Result<Self, LoadError> {
        load(folder, &PreviouslyChecked::Checked(before)).map_err(LoadError::new)
    }

    /// Parses a folder that this program has put in force and therefore checked before.
    pub fn from_accepted(folder: &Folder) -> Result<Self, LoadError> {
        load(folder, &PreviouslyChecked::Accepted).map_err(LoadError::new)
    }

    /// Reads a folder that was in force, if only in an earlier version of this program: to explain and repeat the
    /// decisions of that time, never to decide new ones. It has no invariants.
    ///
    /// # Errors
    ///
    /// It cannot be parsed.
    pub fn from_recorded(folder: &Folder) -> Result<Self, LoadError> {
        load(folder, &PreviouslyChecked::Recorded).map_err(LoadError::new)
    }
}

/// Runs on a thread with a deep stack.
fn load(folder: &Folder, known: &PreviouslyChecked<'_>) -> Result<Snapshot, Vec<FolderFault>> {
    thread::scope(|scope| {
        thread::Builder::new()
            .name("policies".to_owned())
            .stack_size(LOADING_STACK_BYTES)
            .spawn_scoped(scope, || check(folder, known))
            .map_err(|error| vec![FolderFault::new(format!("cannot start a thread: {error}"))])?
            .join()
            .unwrap_or_else(|_| {
                Err(vec![FolderFault::new(
                    "reading the policies failed unexpectedly",
                )])
            })
    })
}

fn check(folder: &Folder, known: &PreviouslyChecked<'_>) -> Result<Snapshot, Vec<FolderFault>> {
    let snapshot = check_policies(folder, known)?;
    if folder.is_custom_domain() && !known.is_recorded() {
        CustomDomain::check(&snapshot, folder)?;
    }
    Ok(snapshot)
}

/// The schema and its JSON form; `None` with a fault if it is none.
fn known_schema(
    folder: &Folder,
    known: &PreviouslyChecked<'_>,
    faults: &mut Vec<FolderFault>,
) -> Option<(Schema, Value)> {
    faults.extend(known.limits(&folder.schema, CedarLanguage::Schema));
    if !faults.is_empty() {
        return None;
    }
    let mut found = Vec::new();
    let schema = parse_schema(&folder.schema, &mut found);
    if schema.is_none() || !known.is_recorded() {
        faults.append(&mut found);
    }
    schema
}

/// What the service asks about; fails with these faults as well.
fn catalogue(
    folder: &Folder,
    known: &PreviouslyChecked<'_>,
    vocabulary: Vocabulary,
    (schema, json): (&Schema, &Value),
    faults: Vec<FolderFault>,
) -> Result<Catalogue, Vec<FolderFault>> {
    let read = match vocabulary {
        Vocabulary::Service if known.is_recorded() => Catalogue::recorded(schema, json),
        Vocabulary::Service => Catalogue::read(&folder.schema, schema, json),
        Vocabulary::Own => Catalogue::empty(),
    };
    match read {
        Ok(catalogue) if faults.is_empty() => Ok(catalogue),
        Ok(_) => Err(faults),
        Err(more) => {
            let first = is_no_schema_of_ours(&folder.schema);
            Err(first.into_iter().chain(faults).chain(more).collect())
        }
    }
}

fn check_policies(
    folder: &Folder,
    known: &PreviouslyChecked<'_>,
) -> Result<Snapshot, Vec<FolderFault>> {
    let mut faults = Vec::new();
    let schema = known_schema(folder, known, &mut faults);
    let vocabulary = Vocabulary::of(folder);
    let policies = Policies::parse(&folder.policies, known, vocabulary, &mut faults);
    let Some((schema, json)) = schema else {
        return Err(faults);
    };
    let nothing = PolicySet::new();
    let unchecked = match known {
        PreviouslyChecked::Accepted | PreviouslyChecked::Recorded => &nothing,
        _ if known.is_valid_under(&folder.schema) => &policies.news,
        _ => &policies.set,
    };
    validate(&schema, unchecked, &policies.files, &mut faults);
    let invariants = if known.is_recorded() {
        Vec::new()
    } else {
        invariants(folder, &schema, vocabulary, &mut faults)
    };
    let catalogue = catalogue(folder, known, vocabulary, (&schema, &json), faults)?;
    let actions = schema.action_entities().map_err(|error| whole(&error))?;
    let is_unchecked = !matches!(
        known,
        PreviouslyChecked::Accepted | PreviouslyChecked::Recorded
    );
    if is_unchecked && vocabulary == Vocabulary::Service {
        let examples = conformance::check(&folder.schema, &schema, &json, &catalogue, &actions)?;
        refuse_too_deep(&policies, unchecked, &examples)?;
    }
    let attributes = unfilled_declarations::declared(&folder.schema, &json);
    let index =
        Index::of_catalogue(&policies.set, &catalogue, &actions).map_err(|error| whole(&error))?;
    Ok(Snapshot {
        schema,
        schema_source: Arc::clone(&folder.schema),
        schema_digest: folder.schema_digest().into(),
        locations: policies.locations(),
        sources: previously_checked::sources(&policies.files),
        invariants,
        policies: policies.set,
        index,
        catalogue,
        attributes,
        actions,
        is_custom_domain: vocabulary == Vocabulary::Own,
        digest: Arc::clone(folder.digest()),
        facts: FactsCache::new(),
        failures: RecentFailures::default(),
        authorizer: Authorizer::new(),
        seconds: metrics::histogram!("charter_authz_decision_seconds"),
    })
}

/// Each policy must be decided within the stack of a request's thread.
fn refuse_too_deep(
    policies: &Policies,
    unchecked: &PolicySet,
    examples: &Examples,
) -> Result<(), Vec<FolderFault>> {
    let too_deep = stack_trial::too_deep(unchecked.policies(), examples);
    let too_deep = too_deep.map_err(|error| whole(&error))?.into_iter();
    let faults: Vec<FolderFault> = too_deep
        .filter_map(|(policy, message)| policies.fault(policy, message))
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

/// Without a place in the folder.
fn whole(error: &dyn std::error::Error) -> Vec<FolderFault> {
    vec![FolderFault::new(error.to_string())]
}

/// Says it once where hundreds of missing names follow.
fn is_no_schema_of_ours(source: &Source) -> Option<FolderFault> {
    let names_one = |permission: &Permission| source.inner().contains(permission.as_str());
    if Permission::ALL.iter().any(names_one) {
        return None;
    }
    let fault = FolderFault::new("the schema has none of the service's permissions");
    let help =
        "if this is a domain of your own, its folder must be directly below one called `domains`";
    Some(fault.help(help).at(source, 0, 0))
}

fn parse_schema(source: &Source, faults: &mut Vec<FolderFault>) -> Option<(Schema, Value)> {
    let text: &str = source.inner();
    let schema = match Schema::from_cedarschema_str(text) {
        Ok((schema, warnings)) => {
            for warning in warnings {
                faults.extend(FolderFault::from_cedar(source, &warning));
            }
            schema
        }
        Err(error) => {
            faults.extend(FolderFault::from_cedar(source, &error));
            return None;
        }
    };
    let json = SchemaFragment::from_cedarschema_str(text)
        .ok()
        .and_then(|(fragment, _)| fragment.to_json_value().ok());
    let Some(json) = json else {
        faults.push(FolderFault::new("the schema has no JSON form").at(source, 0, 0));
        return None;
    };
    check_visible(&json, source, faults);
    Some((schema, json))
}

/// Each file is one invariant in the form of a policy set.
fn invariants(
    folder: &Folder,
    schema: &Schema,
    vocabulary: Vocabulary,
    faults: &mut Vec<FolderFault>,
) -> Vec<Invariant> {
    let mut invariants = Vec::new();
    for source in &folder.invariants {
        let policies = Policies::parse(
            std::slice::from_ref(source),
            &PreviouslyChecked::Nothing,
            vocabulary,
            faults,
        );
        validate(schema, &policies.set, &policies.files, faults);
        let name = file_name(source);
        invariants.push(Invariant {
            name: name.strip_suffix(".cedar").unwrap_or(&name).to_owned(),
            locations: policies.locations(),
            policies: policies.set,
        });
    }
    invariants
}
