//! Objects of both surfaces, loaded within the caller's tenant.

use charter_authz::resource::Resource;
use charter_domain::caller::Caller;
use charter_domain::id::UserId;
use charter_domain::organization::Organization;
use charter_domain::user::User;
use charter_store::TenantReader;

use crate::extract::operation::Object;
use crate::respond::ApiError;

/// The caller's own organization, as authentication read it.
pub struct OwnOrganization;

impl Object for OwnOrganization {
    type Reference = ();

    async fn load(_: TenantReader<'_>, (): ()) -> Result<Self, ApiError> {
        Ok(Self)
    }

    fn as_resource<'a>(&'a self, caller: &'a Caller) -> Resource<'a> {
        Resource::Organization(caller.organization())
    }
}

/// The caller's own organization, read again if the request has conditions, because what authentication read may be
/// stale. Without conditions it is read once more by the write.
pub struct StoredOrganization(pub Organization);

impl Object for StoredOrganization {
    type Reference = ();

    async fn load(tenant: TenantReader<'_>, (): ()) -> Result<Self, ApiError> {
        Ok(Self(tenant.organization().await?))
    }

    fn of_caller(caller: &Caller) -> Option<Self> {
        Some(Self(caller.organization().clone()))
    }

    fn as_resource<'a>(&'a self, _: &'a Caller) -> Resource<'a> {
        Resource::Organization(&self.0)
    }
}

/// A user of the caller's organization.
pub struct Member(pub User);

impl Object for Member {
    /// `None` for a malformed id.
    type Reference = Option<UserId>;

    async fn load(tenant: TenantReader<'_>, reference: Self::Reference) -> Result<Self, ApiError> {
        let id = reference.ok_or_else(ApiError::not_found)?;
        Ok(Self(tenant.member(id).await?))
    }

    fn as_resource<'a>(&'a self, caller: &'a Caller) -> Resource<'a> {
        Resource::User {
            user: &self.0,
            organization: caller.organization(),
        }
    }
}
