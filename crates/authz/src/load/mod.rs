//! From a folder's texts to a snapshot: parse, validate, hold against the service's own names.
//!
//! It goes on after a fault as far as it can, so that one run shows them all.

mod conformance;
mod entity_ids;
mod expressions;
mod known;
mod limits;
mod policies;
mod trial;
mod unfilled;
mod validate;

use std::path::Path;
use std::sync::Arc;
use std::thread;

use cedar_policy::{Authorizer, PolicySet, Schema, SchemaFragment};
use serde_json::Value;

use known::Known;
use limits::Language;
use policies::Policies;
use validate::validate;

use super::catalogue::Catalogue;
use super::facts::FactsCache;
use super::failures::Failures;
use super::fault::{Fault, LoadError};
use super::folder::Folder;
use super::index::Index;
use super::snapshot::{Invariant, Snapshot};
use super::source::{Source, file_name};

/// Cedar's parser and validator recurse; `limits` keeps them shallow, this is the second wall.
const STACK_BYTES: usize = 64 * 1024 * 1024;

impl Snapshot {
    /// Reads and checks a policy folder.
    ///
    /// An error holds every fault of the folder: what cannot be read, parsed or validated (warnings
    /// included), a missing or doubled `@id`, a name that the service and the schema do not share.
    pub fn load(dir: &Path) -> Result<Self, LoadError> {
        Self::of(&Folder::read(dir)?)
    }

    /// Checks what was read of a policy folder.
    pub fn of(folder: &Folder) -> Result<Self, LoadError> {
        load(folder, &Known::Nothing).map_err(LoadError::new)
    }

    /// The same; what is as it was in `before` is neither parsed nor validated again.
    pub fn after(before: &Self, folder: &Folder) -> Result<Self, LoadError> {
        load(folder, &Known::Checked(before)).map_err(LoadError::new)
    }

    /// A folder that this very program has in force: it was checked, and is only parsed.
    pub fn of_accepted(folder: &Folder) -> Result<Self, LoadError> {
        load(folder, &Known::Itself).map_err(LoadError::new)
    }
}

/// Checks on a thread with a deep stack.
fn load(folder: &Folder, known: &Known<'_>) -> Result<Snapshot, Vec<Fault>> {
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
    let policies = Policies::parse(&folder.policies, known, &mut faults);
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
    let attributes = unfilled::declared(&folder.schema, &json);
    let index = Index::new(&policies.set, &catalogue, &actions).map_err(|error| whole(&error))?;
    Ok(Snapshot {
        schema,
        schema_source: Arc::clone(&folder.schema),
        schema_digest: folder.schema_digest().into(),
        locations: policies.locations(),
        sources: known::sources(&policies.files),
        invariants,
        policies: policies.set,
        index,
        catalogue,
        attributes,
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
        let policies = Policies::parse(std::slice::from_ref(source), &Known::Nothing, faults);
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
