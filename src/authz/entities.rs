//! Turns records into Cedar entities. Metadata never goes in: tenants write it.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Entity, EntityAttrEvaluationError, EntityTypeName, EntityUid, RestrictedExpression,
};

use super::catalogue::{Catalogue, uid};
use super::question::Resource;
use crate::domain::access_key::AccessKey;
use crate::domain::account::Account;
use crate::domain::caller::Caller;
use crate::domain::organization::Organization;
use crate::domain::service_account::ServiceAccount;
use crate::domain::user::User;

/// Why an entity could not be built.
pub(super) type BuildError = Box<EntityAttrEvaluationError>;

/// Builds entities with the names of one schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Builder<'a> {
    pub(super) catalogue: &'a Catalogue,
}

impl Builder<'_> {
    pub(super) fn organization(self, organization: &Organization) -> Result<Entity, BuildError> {
        self.organization_from(
            &organization.id.to_string(),
            organization.is_active,
            organization.plan_tier.as_str(),
        )
    }

    fn organization_from(
        self,
        id: &str,
        is_active: bool,
        plan_tier: &str,
    ) -> Result<Entity, BuildError> {
        let plan_tier = RestrictedExpression::new_string(plan_tier.to_owned());
        entity(
            uid(&self.catalogue.types.organization, id),
            [("is_active", boolean(is_active)), ("plan_tier", plan_tier)],
            [],
        )
    }

    pub(super) fn account(self, account: &Account) -> Result<Entity, BuildError> {
        let types = &self.catalogue.types;
        let organization = uid(&types.organization, &account.organization_id.to_string());
        entity(
            uid(&types.account, &account.id.to_string()),
            [
                ("organization", reference(&organization)),
                ("is_default", boolean(account.is_default)),
                ("is_active", boolean(account.is_active)),
            ],
            [organization],
        )
    }

    pub(super) fn service_account(
        self,
        service_account: &ServiceAccount,
    ) -> Result<Entity, BuildError> {
        let types = &self.catalogue.types;
        let organization = uid(
            &types.organization,
            &service_account.organization_id.to_string(),
        );
        let account = uid(&types.account, &service_account.account_id.to_string());
        let is_active = service_account.is_active && service_account.deleted_at.is_none();
        // A stored name that the schema no longer has counts for nothing.
        let roles = service_account
            .roles
            .iter()
            .filter_map(|name| self.catalogue.role(name));
        let permissions = service_account
            .permissions
            .iter()
            .filter_map(|name| self.catalogue.permission(name));
        entity(
            uid(&types.service_account, &service_account.id.to_string()),
            [
                ("organization", reference(&organization)),
                ("account", reference(&account)),
                ("is_active", boolean(is_active)),
            ],
            roles.chain(permissions).chain([&account]).cloned(),
        )
    }

    pub(super) fn access_key(self, access_key: &AccessKey) -> Result<Entity, BuildError> {
        let types = &self.catalogue.types;
        let organization = uid(&types.organization, &access_key.organization_id.to_string());
        let service_account = uid(
            &types.service_account,
            &access_key.service_account_id.to_string(),
        );
        entity(
            uid(&types.access_key, &access_key.id.to_string()),
            [
                ("organization", reference(&organization)),
                ("service_account", reference(&service_account)),
            ],
            [service_account],
        )
    }

    pub(super) fn user(self, user: &User) -> Result<Entity, BuildError> {
        let types = &self.catalogue.types;
        let organization = uid(&types.organization, &user.organization_id.to_string());
        entity(
            uid(&types.user, &user.id.to_string()),
            [
                ("organization", reference(&organization)),
                ("is_active", boolean(user.is_active)),
                ("email_verified", boolean(user.email_verified)),
            ],
            self.catalogue.role(&user.role).cloned(),
        )
    }

    /// The id of a resource; `None` for a role or permission that the schema does not have.
    pub(super) fn resource_uid(self, resource: &Resource<'_>) -> Option<EntityUid> {
        let types = &self.catalogue.types;
        let known = |of: &EntityTypeName, id: String| Some(uid(of, &id));
        match resource {
            Resource::Organization(organization) => {
                known(&types.organization, organization.id.to_string())
            }
            Resource::Account { account, .. } => known(&types.account, account.id.to_string()),
            Resource::ServiceAccount {
                service_account, ..
            } => known(&types.service_account, service_account.id.to_string()),
            Resource::AccessKey { access_key, .. } => {
                known(&types.access_key, access_key.id.to_string())
            }
            Resource::User { user, .. } => known(&types.user, user.id.to_string()),
            Resource::Role(name) => self.catalogue.role(name).cloned(),
            Resource::Permission(name) => self.catalogue.permission(name).cloned(),
        }
    }

    /// The entities that a resource stands on, itself included, but for those that say the same
    /// as what was prepared for the caller.
    pub(super) fn resource(
        self,
        resource: &Resource<'_>,
        caller: &Caller,
    ) -> Result<Vec<Entity>, BuildError> {
        let mut entities = Vec::new();
        if let Resource::AccessKey { access_key, .. } = resource {
            entities.push(self.access_key(access_key)?);
        }
        if let Resource::ServiceAccount {
            service_account, ..
        }
        | Resource::AccessKey {
            service_account, ..
        } = resource
        {
            entities.push(self.service_account(service_account)?);
        }
        if let Resource::User { user, .. } = resource {
            entities.push(self.user(user)?);
        }
        if let Resource::Account { account, .. }
        | Resource::ServiceAccount { account, .. }
        | Resource::AccessKey { account, .. } = resource
            && !is_known_account(account, caller)
        {
            entities.push(self.account(account)?);
        }
        match resource {
            Resource::Organization(organization)
            | Resource::Account { organization, .. }
            | Resource::ServiceAccount { organization, .. }
            | Resource::AccessKey { organization, .. }
            | Resource::User { organization, .. } => {
                if !is_known_organization(organization, caller) {
                    entities.push(self.organization(organization)?);
                }
            }
            // Enumerated entities have neither attributes nor parents.
            Resource::Role(_) | Resource::Permission(_) => {}
        }
        Ok(entities)
    }
}

fn is_known_organization(organization: &Organization, caller: &Caller) -> bool {
    let known = caller.organization();
    organization.id == known.id
        && organization.is_active == known.is_active
        && organization.plan_tier == known.plan_tier
}

fn is_known_account(account: &Account, caller: &Caller) -> bool {
    let Caller::ServiceAccount(caller) = caller else {
        return false;
    };
    let known = &caller.account;
    account.id == known.id
        && account.organization_id == known.organization_id
        && account.is_default == known.is_default
        && account.is_active == known.is_active
}

fn entity<const N: usize>(
    uid: EntityUid,
    attributes: [(&str, RestrictedExpression); N],
    parents: impl IntoIterator<Item = EntityUid>,
) -> Result<Entity, BuildError> {
    let attributes: HashMap<_, _> = attributes
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let parents: HashSet<_> = parents.into_iter().collect();
    Entity::new(uid, attributes, parents).map_err(Box::new)
}

fn boolean(value: bool) -> RestrictedExpression {
    RestrictedExpression::new_bool(value)
}

fn reference(to: &EntityUid) -> RestrictedExpression {
    RestrictedExpression::new_entity_uid(to.clone())
}
