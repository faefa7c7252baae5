//! Tries the service's own entities and facts against a schema, once, when it is loaded: then no
//! request has to pay for checking its own.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};

use cedar_policy::{Entities, Entity, Request, Schema};
use serde_json::Value;

use super::trial::Examples;
use super::unfilled;
use crate::catalogue::{Catalogue, Types, uid};
use crate::facts::FactsCache;
use crate::fault::Fault;
use crate::kinds::ResourceKind;
use crate::names::locate;
use crate::shapes::{self, BuildError};
use crate::source::Source;
use charter_domain::timestamp::Timestamp;

/// Builds one entity of each type and every kind of request that the schema allows. They come back
/// as examples, with the schema's actions.
///
/// # Errors
///
/// What the schema declares otherwise than the service builds it.
pub(super) fn check(
    source: &Source,
    schema: &Schema,
    json: &Value,
    catalogue: &Catalogue,
    actions: &Entities,
) -> Result<Examples, Vec<Fault>> {
    let specimens = specimens(catalogue).map_err(|error| refuse(source, "entity ", &error))?;
    for specimen in &specimens {
        let declaration = format!("entity {} ", specimen.uid().type_name());
        Entities::from_entities([specimen.clone()], Some(schema))
            .map_err(|error| refuse(source, &declaration, &error))?;
    }
    let entities = actions
        .clone()
        .add_entities(specimens.clone(), None)
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
        // Enumerated types have only their own names.
        let resource = match resource {
            ResourceKind::Role => catalogue.all_roles().next(),
            ResourceKind::Permission => catalogue.all_permissions().next(),
            _ => None,
        }
        .unwrap_or_else(|| uid(catalogue.types.of_resource(resource), SPECIMEN));
        let principal = uid(catalogue.types.of_principal(principal), SPECIMEN);
        let request = Request::new(principal, action.clone(), resource, context, Some(schema))
            .map_err(|error| refuse(&error))?;
        requests.push(request);
    }
    // Each question's context has the same facts.
    let unfilled = facts_of_one.map_or_else(Vec::new, |context| {
        unfilled::check(source, json, &specimens, &context)
    });
    if unfilled.is_empty() {
        Ok(Examples { requests, entities })
    } else {
        Err(unfilled)
    }
}

fn refuse(source: &Source, declaration: &str, error: &dyn Error) -> Vec<Fault> {
    let mut message = error.to_string();
    if let Some(cause) = error.source() {
        message = format!("{message}: {cause}");
    }
    vec![locate(message, source, declaration).help(
        "the service builds entities and context in one way only; declare them as the shipped schema does",
    )]
}

/// The id of each entity that is tried.
const SPECIMEN: &str = "specimen";

fn specimens(catalogue: &Catalogue) -> Result<Vec<Entity>, BuildError> {
    let types: &Types = &catalogue.types;
    let organization = uid(&types.organization, SPECIMEN);
    let account = uid(&types.account, SPECIMEN);
    let service_account = uid(&types.service_account, SPECIMEN);
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
            uid(&types.access_key, SPECIMEN),
            &organization,
            service_account,
        )?,
        shapes::user(
            uid(&types.user, SPECIMEN),
            &organization,
            true,
            true,
            catalogue.all_roles().next(),
        )?,
    ])
}
