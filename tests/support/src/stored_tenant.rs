//! A tenant in the store, opened without a request.

use std::ops::Deref;

use charter_domain::audit::AuditContext;
use charter_domain::caller::UserCaller;
use charter_domain::id::UserId;
use charter_domain::organization::Organization;
use charter_domain::user::User;
use charter_store::{Scope, Store, TenantReader, TenantWriter};

#[derive(Clone, Copy)]
pub struct StoredTenant<'a> {
    store: &'a Store,
    scope: Scope,
    reader: TenantReader<'a>,
}

impl<'a> StoredTenant<'a> {
    pub fn of(store: &'a Store, organization: &Organization) -> Self {
        let scope = scope_of(organization);
        Self {
            store,
            scope,
            reader: store.within(scope),
        }
    }

    /// Writes within the tenant, audited as `by`.
    pub fn by(&self, by: &AuditContext) -> TenantWriter<'a> {
        self.store.write_within(self.scope, by.clone())
    }
}

impl<'a> Deref for StoredTenant<'a> {
    type Target = TenantReader<'a>;

    fn deref(&self) -> &Self::Target {
        &self.reader
    }
}

/// As for a caller of that organization, which need not be stored.
#[expect(clippy::disallowed_methods, reason = "a test opens any tenant")]
pub fn scope_of(organization: &Organization) -> Scope {
    let anybody = User {
        id: UserId::from_uuid(organization.id.uuid()),
        organization_id: organization.id,
        email: "anybody@example.org".to_owned(),
        role: "member".to_owned(),
        is_active: true,
        email_verified: true,
        created_at: organization.created_at,
        last_login_at: None,
    };
    Scope::from(&UserCaller::new(None, anybody, organization.clone()))
}
