//! Builds Cedar entities from records. Metadata is excluded because tenants write it.

use cedar_policy::{Entity, EntityTypeName, EntityUid};

use super::catalogue::{Catalogue, uid};
use super::resource::Resource;
use super::shapes::{self, BuildError};
use charter_domain::access_key::AccessKey;
use charter_domain::account::Account;
use charter_domain::caller::Caller;
use charter_domain::id::OrganizationId;
use charter_domain::organization::Organization;
use charter_domain::service_account::ServiceAccount;
use charter_domain::user::User;

/// Builds entities with the ids of one schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntityBuilder<'a> {
    pub(super) catalogue: &'a Catalogue,
}

impl EntityBuilder<'_> {
    fn organization_uid(self, id: OrganizationId) -> EntityUid {
        uid(&self.catalogue.types.organization, &id.to_string())
    }

    pub(super) fn organization(self, organization: &Organization) -> Result<Entity, BuildError> {
        shapes::organization(
            self.organization_uid(organization.id),
            organization.is_active,
            organization.plan_tier.as_str(),
        )
    }

    pub(super) fn account(self, account: &Account) -> Result<Entity, BuildError> {
        shapes::account(
            uid(&self.catalogue.types.account, &account.id.to_string()),
            self.organization_uid(account.organization_id),
            account.is_default,
            account.is_active,
        )
    }

    pub(super) fn service_account(
        self,
        service_account: &ServiceAccount,
    ) -> Result<Entity, BuildError> {
        let types = &self.catalogue.types;
        // A stored name that the schema no longer has is ignored.
        let roles = service_account
            .roles
            .iter()
            .filter_map(|name| self.catalogue.role(name));
        let permissions = service_account
            .permissions
            .iter()
            .filter_map(|name| self.catalogue.permission(name));
        shapes::service_account(
            uid(&types.service_account, &service_account.id.to_string()),
            &self.organization_uid(service_account.organization_id),
            uid(&types.account, &service_account.account_id.to_string()),
            service_account.is_active && service_account.deleted_at.is_none(),
            roles.chain(permissions).cloned(),
        )
    }

    pub(super) fn access_key(self, access_key: &AccessKey) -> Result<Entity, BuildError> {
        let types = &self.catalogue.types;
        shapes::access_key(
            uid(&types.access_key, &access_key.id.to_string()),
            &self.organization_uid(access_key.organization_id),
            uid(
                &types.service_account,
                &access_key.service_account_id.to_string(),
            ),
        )
    }

    pub(super) fn user(self, user: &User) -> Result<Entity, BuildError> {
        shapes::user(
            uid(&self.catalogue.types.user, &user.id.to_string()),
            &self.organization_uid(user.organization_id),
            user.is_active,
            user.email_verified,
            self.catalogue.role(&user.role).cloned(),
        )
    }

    /// The entity id of a resource; `None` for a role or permission that the schema does not have.
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

    /// The entities of a resource and its ancestors, without those that are the same as the
    /// caller's.
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
    let known = caller.account();
    account.id == known.id
        && account.organization_id == known.organization_id
        && account.is_default == known.is_default
        && account.is_active == known.is_active
}
