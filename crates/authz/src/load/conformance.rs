//! Checks the service's own entities and contexts against a schema once, on load, so that requests
//! need no validation.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};

use cedar_policy::{Entities, Entity, Request, Schema};
use serde_json::Value;

use super::stack_trial::Examples;
use super::unfilled_declarations;
use crate::catalogue::{Catalogue, EntityTypes, uid};
use crate::facts::FactsCache;
use crate::fault::FolderFault;
use crate::kinds::ResourceKind;
use crate::names::fault_at;
use crate::shapes::{self, BuildError};
use crate::source::Source;
use charter_domain::causes::with_causes;
use charter_domain::timestamp::Timestamp;

/// Builds one entity of each type and one request of each kind that the schema allows, and returns
/// them as trial inputs. The error lists declarations that do not match what the service builds.
pub(super) fn check(
    source: &Source,
    schema: &Schema,
    json: &Value,
    catalogue: &Catalogue,
    actions: &Entities,
) -> Result<Examples, Vec<FolderFault>> {
    let samples = sample_entities(catalogue).map_err(|error| refuse(source, "entity ", &error))?;
    for sample in &samples {
        let declaration = format!("entity {} ", sample.uid().type_name());
        Entities::from_entities([sample.clone()], Some(schema))
            .map_err(|error| refuse(source, &declaration, &error))?;
    }
    let entities = actions
        .clone()
        .add_entities(samples.clone(), None)
        .map_err(|error| refuse(source, "entity ", &error))?;
    let mut requests = Vec::new();
    let facts = FactsCache::new();
    let mut facts_of_one = None;
    for (action, principal, resource) in catalogue.questions() {
        let refuse = |error: &dyn Error| {
            let declaration = format!("action \"{}\"", action.id().unescaped());
            refuse(source, &declaration, error)
        };
        let context = facts
            .get(
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                Timestamp::UNIX_EPOCH,
                principal,
                catalogue.method(principal),
            )
            .map_err(|error| refuse(&error))?;
        facts_of_one.get_or_insert_with(|| context.clone());
        // Enumerated types have no other ids.
        let resource = match resource {
            ResourceKind::Role => catalogue.all_roles().next(),
            ResourceKind::Permission => catalogue.all_permissions().next(),
            _ => None,
        }
        .unwrap_or_else(|| uid(catalogue.types.of_resource(resource), SAMPLE));
        let principal = uid(catalogue.types.of_principal(principal), SAMPLE);
        let request = Request::new(principal, action.clone(), resource, context, Some(schema))
            .map_err(|error| refuse(&error))?;
        requests.push(request);
    }
    // All contexts have the same attributes.
    let unfilled = facts_of_one.map_or_else(Vec::new, |context| {
        unfilled_declarations::check(source, json, &samples, &context)
    });
    if unfilled.is_empty() {
        Ok(Examples { requests, entities })
    } else {
        Err(unfilled)
    }
}

fn refuse(source: &Source, declaration: &str, error: &dyn Error) -> Vec<FolderFault> {
    vec![fault_at(with_causes(error), source, declaration).help(
        "the service builds entities and context in one way only; declare them as the shipped schema does",
    )]
}

/// Id of the sample entities.
const SAMPLE: &str = "specimen";

fn sample_entities(catalogue: &Catalogue) -> Result<Vec<Entity>, BuildError> {
    let types: &EntityTypes = &catalogue.types;
    let organization = uid(&types.organization, SAMPLE);
    let account = uid(&types.account, SAMPLE);
    let service_account = uid(&types.service_account, SAMPLE);
    Ok(vec![
        shapes::organization(organization.clone(), true, "free")?,
        shapes::account(account.clone(), organization.clone(), true, true)?,
        shapes::service_account(
            service_account.clone(),
            &organization,
            account,
            true,
            catalogue.all_roles().chain(catalogue.all_permissions()),
        )?,
        shapes::access_key(
            uid(&types.access_key, SAMPLE),
            &organization,
            service_account,
        )?,
        shapes::user(
            uid(&types.user, SAMPLE),
            &organization,
            true,
            true,
            catalogue.all_roles().next(),
        )?,
    ])
}
