//! What Cedar is given for a question: the request, the entities, and the policies to ask.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use cedar_policy::{Entities, EntityUid, Request};

use super::entities::Builder;
use super::index::IndexEntry;
use super::principal::Principal;
use super::question::Question;
use super::resource::Resource;
use super::snapshot::Snapshot;

pub(super) struct Inputs<'a> {
    pub(super) request: Request,
    pub(super) entities: Cow<'a, Entities>,
    /// The policies that name the principal or one of its ancestors.
    pub(super) of_principal: Cow<'a, [Arc<IndexEntry>]>,
}

impl Snapshot {
    /// What Cedar is given for a question; `None` if the schema does not let it be asked.
    pub fn given(
        &self,
        question: &Question<'_>,
    ) -> Result<Option<(Request, Entities)>, Box<dyn Error>> {
        let principal = self.prepared(question.principal);
        let inputs = self.inputs(&principal, question)?;
        Ok(inputs.map(|inputs| (inputs.request, inputs.entities.into_owned())))
    }

    /// The principal in this snapshot's names.
    pub(super) fn prepared<'a>(&self, principal: &'a Principal) -> Cow<'a, Principal> {
        if principal.digest == self.digest {
            Cow::Borrowed(principal)
        } else {
            Cow::Owned(Principal::prepare(principal.caller(), self))
        }
    }

    /// The request; `None` if the schema does not let it be asked. The schema is not consulted
    /// beyond that: load has tried every kind of request against it.
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
    ) -> Result<Option<Inputs<'a>>, Box<dyn Error>> {
        let (Some(prepared), Some(request)) =
            (&principal.prepared, self.request(principal, question)?)
        else {
            return Ok(None);
        };
        let build = Builder {
            catalogue: &self.catalogue,
        };
        let unknown = build.resource(&question.resource, principal.caller())?;
        let inputs = if unknown.is_empty() {
            Inputs {
                request,
                entities: Cow::Borrowed(&prepared.entities),
                of_principal: Cow::Borrowed(&prepared.policies),
            }
        } else {
            // A caller that asks about itself may have other parents by now.
            let changed = unknown.iter().any(|entity| {
                let uid = entity.uid();
                uid == prepared.uid || prepared.entities.is_ancestor_of(&uid, &prepared.uid)
            });
            let entities = prepared.entities.clone().upsert_entities(unknown, None)?;
            Inputs {
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

    /// Writing an id out is most of what its entity id costs; the tenant's own is at hand.
    fn resource_uid(&self, principal: &Principal, resource: &Resource<'_>) -> Option<EntityUid> {
        if let (Resource::Organization(organization), Some(prepared)) =
            (resource, &principal.prepared)
            && organization.id == principal.caller().organization().id
        {
            return Some(prepared.organization.clone());
        }
        Builder {
            catalogue: &self.catalogue,
        }
        .resource_uid(resource)
    }
}
