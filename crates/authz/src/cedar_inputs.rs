//! The input of Cedar for a question: request, entities and candidate policies.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use cedar_policy::{Entities, EntityUid, Request};

use super::entities::EntityBuilder;
use super::index::IndexEntry;
use super::principal::Principal;
use super::question::Question;
use super::resource::Resource;
use super::snapshot::Snapshot;

pub(super) struct CedarInputs<'a> {
    pub(super) request: Request,
    pub(super) entities: Cow<'a, Entities>,
    /// Policies whose scope names the principal or one of its ancestors.
    pub(super) of_principal: Cow<'a, [Arc<IndexEntry>]>,
}

impl Snapshot {
    /// Cedar's input for a question; `None` if the schema does not allow the question.
    pub fn given(
        &self,
        question: &Question<'_>,
    ) -> Result<Option<(Request, Entities)>, Box<dyn Error>> {
        let principal = self.prepared(question.principal);
        let inputs = self.inputs(&principal, question)?;
        Ok(inputs.map(|inputs| (inputs.request, inputs.entities.into_owned())))
    }

    /// The principal prepared for this snapshot.
    pub(super) fn prepared<'a>(&self, principal: &'a Principal) -> Cow<'a, Principal> {
        if principal.digest == self.digest {
            Cow::Borrowed(principal)
        } else {
            Cow::Owned(Principal::prepare(principal.caller(), self))
        }
    }

    /// The request; `None` if the schema does not allow the question. It is not validated again:
    /// loading has checked every request type against the schema.
    pub(super) fn request(
        &self,
        principal: &Principal,
        question: &Question<'_>,
    ) -> Result<Option<Request>, Box<dyn Error>> {
        let resource = &question.resource;
        let (Some(prepared), Some(action), Some(resource_uid)) = (
            &principal.prepared,
            self.catalogue
                .action(question.permission, principal.kind, resource.kind()),
            self.resource_uid(principal, resource),
        ) else {
            return Ok(None);
        };
        let context = self.facts.get(
            question.source_ip,
            question.now,
            principal.kind,
            self.catalogue.method(principal.kind),
        )?;
        let (uid, action) = (prepared.uid.clone(), action.clone());
        Ok(Some(Request::new(
            uid,
            action,
            resource_uid,
            context,
            None,
        )?))
    }

    /// The request and its entities; `None` as for [`Self::request`].
    pub(super) fn inputs<'a>(
        &self,
        principal: &'a Principal,
        question: &Question<'_>,
    ) -> Result<Option<CedarInputs<'a>>, Box<dyn Error>> {
        let (Some(prepared), Some(request)) =
            (&principal.prepared, self.request(principal, question)?)
        else {
            return Ok(None);
        };
        let build = EntityBuilder {
            catalogue: &self.catalogue,
        };
        let unknown = build.resource(&question.resource, principal.caller())?;
        let own = || prepared.own(principal.caller(), &self.catalogue);
        let inputs = if unknown.is_empty() {
            let entities = match prepared.with_actions.get() {
                Some(entities) => Cow::Borrowed(entities),
                None => Cow::Owned(self.with_actions(own()?.iter().cloned())?),
            };
            CedarInputs {
                request,
                entities,
                of_principal: Cow::Borrowed(&prepared.policies),
            }
        } else {
            let own = own()?;
            // A caller that asks about itself may have other parents by now.
            let changed = unknown.iter().any(|entity| {
                let uid = entity.uid();
                uid == prepared.uid || own.is_ancestor_of(&uid, &prepared.uid)
            });
            let known = Entities::clone(&own).upsert_entities(unknown, None)?;
            let entities = self.with_actions(known.iter().cloned())?;
            CedarInputs {
                request,
                of_principal: if changed {
                    Cow::Owned(self.index.of_principal(&prepared.uid, &entities))
                } else {
                    Cow::Borrowed(&prepared.policies)
                },
                entities: Cow::Owned(entities),
            }
        };
        Ok(Some(inputs))
    }

    /// Formatting an id dominates the cost of an entity id, so the caller's own organization is
    /// cached.
    fn resource_uid(&self, principal: &Principal, resource: &Resource<'_>) -> Option<EntityUid> {
        if let (Resource::Organization(organization), Some(prepared)) =
            (resource, &principal.prepared)
            && organization.id == principal.caller().organization().id
        {
            return Some(prepared.organization.clone());
        }
        EntityBuilder {
            catalogue: &self.catalogue,
        }
        .resource_uid(resource)
    }
}
