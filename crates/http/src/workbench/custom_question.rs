//! Questions about a domain of one's own: which policies of it are asked, and what the store says of those that a
//! question names.

use std::sync::Arc;

use serde_json::{Map, Value};

use charter_authn::operator::Operator;
use charter_authz::custom_domain::{CustomDomain, Facts};

use super::asked_domain;
use super::named::{self, Named};
use super::refusals;
use super::sent_folder::{SentFolder, refused};
use crate::access::custom::names::within;
use crate::access::question::Entity;
use crate::extract::facts::{of_caller, of_loaded};
use crate::extract::fields::{Fields, present};
use crate::extract::loaded::{entity_ref, is_enabled};
use crate::respond::{ApiError, Detail, Surface};
use crate::state::State;

/// The members of a question, which are read as the decision point reads them; `options` change nothing.
const PARTS: [&str; 5] = ["subject", "action", "resource", "context", "options"];

/// The policies of a domain that are asked.
pub(super) struct ChosenDomain {
    name: String,
    version: Version,
}

enum Version {
    InForce,
    Shadow,
    Sent(SentFolder),
}

impl ChosenDomain {
    /// Reads `domain`, and `folder` or `changes`. What else is left in the body is unknown.
    pub(super) fn read(mut fields: Fields, state: &State) -> Result<Self, ApiError> {
        for part in PARTS {
            fields.optional::<Map<String, Value>>(part);
        }
        let name = fields.required::<String>("domain");
        let policies = fields.optional::<String>("policies");
        let folder = fields.optional::<Map<String, Value>>("folder");
        let changes = fields.optional::<Map<String, Value>>("changes");
        fields.finish().map_err(|error| error.on(Surface::Portal))?;
        let name = present(name)?;
        let files = asked_domain::custom(&name, state)?.health.files.clone();
        let sent = SentFolder::of(present(folder)?, present(changes)?, &files, true)?;
        let version = match (present(policies)?.as_deref(), sent) {
            (None, Some(sent)) => Version::Sent(sent),
            (None | Some("in_force"), None) => Version::InForce,
            (Some("shadow"), None) => Version::Shadow,
            (Some(_), Some(_)) => return Err(broken("must be left out if a folder is sent")),
            (Some(_), None) => return Err(broken("must be `in_force` or `shadow`")),
        };
        Ok(Self { name, version })
    }

    /// Their name in the answer, and themselves.
    pub(super) async fn load(
        self,
        state: &State,
    ) -> Result<(&'static str, Arc<CustomDomain>), ApiError> {
        let sent = match self.version {
            Version::InForce => {
                let (domain, _) = asked_domain::in_force(&self.name, state)?;
                return Ok(("in_force", domain));
            }
            Version::Shadow => {
                let shadow = state.workbench.shadow_of(&self.name);
                let domain = shadow.and_then(|shadow| shadow.domain).ok_or_else(|| {
                    broken("there are no shadow policies of this domain: put them below `domains/` of `policies.shadow`")
                });
                return Ok(("shadow", domain?));
            }
            Version::Sent(sent) => sent,
        };
        let loaded = state.workbench.tools.load_domain(&self.name, sent.files);
        let loaded = loaded.await;
        let loaded = loaded.map_err(|refusal| refusals::of_folder(refusal, sent.member))?;
        Ok(("sent", loaded))
    }
}

fn broken(rule: &'static str) -> ApiError {
    refused(vec![Detail::new("/policies", rule)])
}

/// What the store says of a subject and a resource. Nobody who is disabled is known.
pub(super) async fn facts(
    operator: &Operator<'_>,
    subject: &Entity,
    resource: &Entity,
) -> Result<Facts, ApiError> {
    let mut facts = Vec::new();
    if let Some(named) = record(subject) {
        let caller = named::subject(operator, &named).await?;
        facts.extend(caller.filter(is_enabled).iter().flat_map(of_caller));
    }
    if let Some(named) = record(resource).filter(|_| subject.is_other_than(resource)) {
        let loaded = named::resource(operator, &named).await?;
        facts.extend(loaded.iter().flat_map(of_loaded));
    }
    Ok(Facts::new(facts))
}

fn record(entity: &Entity) -> Option<Named> {
    let entity = within(entity)?;
    entity_ref(&entity.of, &entity.id).map(Named::Record)
}
