//! Access keys of a service account: list, create, revoke. `key_rotation` replaces them.

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QueryTrait as _,
    Select,
};

use super::audit::Action;
use super::entity::{access_key, stored_time};
use super::listing::{self, Nulls, Sort};
use super::lookup::{find, lock};
use super::write::Write;
use super::{Error, Store, TenantReader, TenantWriter};
use charter_domain::access_key::{AccessKey, MAX_ACTIVE_KEYS, SealedSecret};
use charter_domain::id::{AccessKeyId, ServiceAccountId};
use charter_domain::ip_allowlist::IpAllowlist;
use charter_domain::page::{KeyOrder, Page, PageRequest};
use charter_domain::permission::Permission;
use charter_domain::service_account::ServiceAccount;
use charter_domain::text::Description;
use charter_domain::timestamp::Timestamp;

/// A key to create. The caller chooses the id, because the sealed secret is bound to it.
#[derive(Debug, Clone)]
pub struct NewKey {
    pub id: AccessKeyId,
    /// The public identifier, `sa_…`.
    pub access_key: String,
    /// Bound to `id`.
    pub secret: SealedSecret,
    pub description: Description,
    pub ip_allowlist: IpAllowlist,
    pub expires_at: Option<Timestamp>,
}

/// The locked rows that a check may read before a key is created.
#[derive(Debug, Clone, Copy)]
pub struct KeyToMake<'a> {
    /// The service account that will use the key.
    pub owner: &'a ServiceAccount,
    /// The key that signed the request; `None` for users and operators.
    pub signer: Option<&'a AccessKey>,
    pub ip_allowlist: &'a IpAllowlist,
    pub expires_at: Option<Timestamp>,
}

impl Store {
    /// The key with that identifier or id, revoked and expired ones included. For operators.
    pub async fn find_access_key(&self, named: &str) -> Result<Option<AccessKey>, Error> {
        let condition = match named.parse::<AccessKeyId>() {
            Ok(id) => access_key::Column::Id.eq(id.uuid()),
            Err(_) => access_key::Column::AccessKey.eq(named),
        };
        let found = access_key::Entity::find().filter(condition);
        let found = found.one(&self.reader).await?;
        found.map(AccessKey::try_from).transpose()
    }
}

impl TenantReader<'_> {
    pub(super) fn keys_of_all(&self) -> Select<access_key::Entity> {
        access_key::Entity::find()
            .filter(access_key::Column::OrganizationId.eq(self.scope.organization_id().uuid()))
    }

    fn keys(&self, service_account: ServiceAccountId) -> Select<access_key::Entity> {
        self.keys_of_all()
            .filter(access_key::Column::ServiceAccountId.eq(service_account.uuid()))
    }

    /// One page of a service account's keys. Revoked and expired ones only if asked for.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the tenant has no such service account.
    pub async fn list_keys(
        &self,
        service_account: ServiceAccountId,
        page: PageRequest<KeyOrder>,
        include_inactive: bool,
    ) -> Result<Page<AccessKey>, Error> {
        self.service_account(service_account).await?;
        let mut query = self.keys(service_account);
        if !include_inactive {
            query = query.filter(is_active(stored_time(self.store.clock.now())));
        }
        listing::page(self, query, &page, sort(page.order), access_key::Column::Id).await
    }

    /// All keys of the organization, newest first. For operators.
    pub async fn all_keys(&self, include_inactive: bool) -> Result<Vec<AccessKey>, Error> {
        let mut query = self
            .keys_of_all()
            .order_by_desc(access_key::Column::CreatedAt)
            .order_by_desc(access_key::Column::Id);
        if !include_inactive {
            query = query.filter(is_active(stored_time(self.store.clock.now())));
        }
        let rows = query.all(&self.store.reader).await?;
        rows.into_iter().map(AccessKey::try_from).collect()
    }

    /// A key of the tenant, whichever service account it belongs to.
    pub async fn find_key(&self, id: AccessKeyId) -> Result<AccessKey, Error> {
        let query = self
            .keys_of_all()
            .filter(access_key::Column::Id.eq(id.uuid()));
        find(query, &self.store.reader).await
    }

    /// One key of a service account.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the tenant has no such service account or it has no such key.
    pub async fn key(
        &self,
        service_account: ServiceAccountId,
        id: AccessKeyId,
    ) -> Result<AccessKey, Error> {
        self.service_account(service_account).await?;
        let query = self.keys(service_account);
        let query = query.filter(access_key::Column::Id.eq(id.uuid()));
        find(query, &self.store.reader).await
    }

    /// Reads the key that signed the request again: it may have been rotated meanwhile.
    pub(super) async fn signing_key(&self, write: &Write<'_>) -> Result<Option<AccessKey>, Error> {
        let Some(id) = write.by.actor.access_key() else {
            return Ok(None);
        };
        let query = self
            .keys_of_all()
            .filter(access_key::Column::Id.eq(id.uuid()));
        let row = query.one(&write.transaction).await?;
        Ok(Some(row.ok_or(Error::CallerRevoked)?.try_into()?))
    }

    pub(super) async fn lock_key(
        &self,
        write: &Write<'_>,
        service_account: ServiceAccountId,
        id: AccessKeyId,
    ) -> Result<AccessKey, Error> {
        let query = self.keys(service_account);
        lock(
            query.filter(access_key::Column::Id.eq(id.uuid())),
            &write.transaction,
        )
        .await
    }

    /// Fails if no more keys may be active. Keys in overlap and `except` do not count.
    pub(super) async fn check_room(
        &self,
        write: &Write<'_>,
        service_account: ServiceAccountId,
        except: Option<AccessKeyId>,
    ) -> Result<(), Error> {
        let mut active = self
            .keys(service_account)
            .filter(is_active(write.at()))
            .filter(access_key::Column::RotatedAt.is_null());
        if let Some(except) = except {
            active = active.filter(access_key::Column::Id.ne(except.uuid()));
        }
        let active = active.count(&write.transaction).await?;
        if usize::try_from(active).is_ok_and(|active| active < MAX_ACTIVE_KEYS) {
            Ok(())
        } else {
            Err(Error::TooManyKeys)
        }
    }
}

impl TenantWriter<'_> {
    /// Creates a key. An error of `check` rolls back.
    ///
    /// # Errors
    ///
    /// Errors of `check`; [`Error::NotFound`]; [`Error::TooManyKeys`]; [`Error::OrganizationInactive`].
    pub async fn create_key<E: From<Error>>(
        &self,
        service_account: ServiceAccountId,
        new: NewKey,
        check: impl FnOnce(&KeyToMake<'_>) -> Result<(), E> + Send,
    ) -> Result<AccessKey, E> {
        let (mut write, _) = self.begin().await?;
        let owner = self
            .tenant
            .lock_service_account(&write, service_account)
            .await?;
        let signer = self.tenant.signing_key(&write).await?;
        check(&KeyToMake {
            owner: &owner,
            signer: signer.as_ref(),
            ip_allowlist: &new.ip_allowlist,
            expires_at: new.expires_at.map(stored_time),
        })?;
        self.tenant
            .check_room(&write, service_account, None)
            .await?;
        let key = insert(&mut write, &owner, new, Permission::CreateKey).await?;
        write.commit().await?;
        Ok(key)
    }

    /// Revokes a key permanently. Does nothing if it is revoked already.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::OrganizationInactive`].
    pub async fn revoke_key(
        &self,
        service_account: ServiceAccountId,
        id: AccessKeyId,
    ) -> Result<(), Error> {
        let (mut write, _) = self.begin_removal().await?;
        self.tenant
            .lock_service_account(&write, service_account)
            .await?;
        let before = self.tenant.lock_key(&write, service_account, id).await?;
        if before.revoked_at.is_some() {
            return write.confirm().await;
        }
        let after = AccessKey {
            revoked_at: Some(write.at()),
            ..before.clone()
        };
        let action = Action::Permission(Permission::RevokeKey);
        update(&mut write, action, &before, &after).await?;
        write.commit().await
    }
}

pub(super) const fn sort(order: KeyOrder) -> Sort<access_key::Column> {
    let (column, nulls) = match order {
        KeyOrder::CreatedAt => (access_key::Column::CreatedAt, Nulls::None),
        KeyOrder::ExpiresAt => (access_key::Column::ExpiresAt, Nulls::Latest),
        KeyOrder::LastUsedAt => (access_key::Column::LastUsedAt, Nulls::Earliest),
    };
    Sort { column, nulls }
}

pub(super) fn is_active(now: Timestamp) -> Condition {
    Condition::all()
        .add(access_key::Column::RevokedAt.is_null())
        .add(
            Condition::any()
                .add(access_key::Column::ExpiresAt.is_null())
                .add(access_key::Column::ExpiresAt.gt(now)),
        )
}

/// Inserts a key and its audit event.
pub(super) async fn insert(
    write: &mut Write<'_>,
    owner: &ServiceAccount,
    new: NewKey,
    action: Permission,
) -> Result<AccessKey, Error> {
    let key = AccessKey {
        id: new.id,
        organization_id: owner.organization_id,
        service_account_id: owner.id,
        access_key: new.access_key,
        description: new.description,
        ip_allowlist: new.ip_allowlist,
        expires_at: new.expires_at.map(stored_time),
        rotated_at: None,
        expiry_before_rotation: None,
        revoked_at: None,
        last_used_at: None,
        created_at: write.at(),
    };
    let row = access_key::insertable(&key, new.secret);
    write.will_change(access_key::Entity::insert(row).into_query());
    write
        .record_creation(Action::Permission(action), &key)
        .await?;
    Ok(key)
}

/// Changes a locked key, with an audit event.
pub(super) async fn update(
    write: &mut Write<'_>,
    action: Action,
    before: &AccessKey,
    after: &AccessKey,
) -> Result<(), Error> {
    let update = access_key::Entity::update_many()
        .set(access_key::changeable(after))
        .filter(access_key::Column::Id.eq(before.id.uuid()))
        .filter(access_key::Column::OrganizationId.eq(before.organization_id.uuid()))
        .filter(access_key::Column::RevokedAt.is_null());
    write.will_change(update.into_query());
    write.record_update(action, before, after).await
}
