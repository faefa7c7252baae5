//! Organizations: a tenant's own, and all of them for operators.

use std::collections::HashMap;

use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::audit::Action;
use super::entity::{MaybeReadable, access_key, organization, session};
use super::lookup::find;
use super::write::Write;
use super::{Error, Store, TenantReader, TenantWriter, accounts, names, open_invitations};
use charter_domain::account::Account;
use charter_domain::audit::AuditContext;
use charter_domain::id::OrganizationId;
use charter_domain::metadata::Metadata;
use charter_domain::organization::{Organization, PlanTier};
use charter_domain::permission::Permission;
use charter_domain::region::Region;
use charter_domain::slug::Slug;
use charter_domain::text::Name;

const DEFAULT_ACCOUNT: &str = "Default";

/// An organization to create.
#[derive(Debug, Clone)]
pub struct NewOrganization {
    pub name: Name,
    /// Unique over the installation.
    pub slug: Slug,
}

/// Not confined to one tenant: for authentication and operators.
impl Store {
    /// Creates an organization on the free plan, with its default account.
    ///
    /// # Errors
    ///
    /// [`Error::SlugTaken`].
    pub async fn create_organization(
        &self,
        new: NewOrganization,
        by: &AuditContext,
    ) -> Result<(Organization, Account), Error> {
        let mut write = self.begin(by).await?;
        let action = Action::Operator("CreateOrganization");
        let made = self.insert_organization(&mut write, new, action).await?;
        write.commit().await?;
        Ok(made)
    }

    /// Inserts an organization, its default account and their events.
    pub(super) async fn insert_organization(
        &self,
        write: &mut Write<'_>,
        new: NewOrganization,
        action: Action,
    ) -> Result<(Organization, Account), Error> {
        let at = write.at();
        let id = OrganizationId::generate(at, &*self.entropy);
        write.locks(id);
        let code = names::draw_code(write, &*self.entropy, id).await?;
        names::claim_slug(write, id, &new.slug.to_string()).await?;
        let organization = Organization {
            id,
            code,
            slug: new.slug.to_string(),
            name: new.name,
            contact_email: None,
            default_region: None,
            allowed_regions: Region::ALL.map(|region| region.to_string()).to_vec(),
            plan_tier: PlanTier::Free,
            monthly_doc_limit: PlanTier::Free.monthly_doc_limit(),
            is_active: true,
            deactivated_at: None,
            metadata: Metadata::default(),
            version: 1,
            created_at: at,
            updated_at: at,
        };
        organization::Entity::insert(organization::ActiveModel::from(&organization))
            .exec_without_returning(&write.transaction)
            .await?;
        write.record_creation(action, &organization).await?;
        let name = Name::from_stored(DEFAULT_ACCOUNT.to_owned());
        let account = accounts::insert(
            write,
            &*self.entropy,
            organization.id,
            name,
            Metadata::default(),
            true,
        )
        .await?;
        Ok((organization, account))
    }

    /// The codes of these organizations, without those that do not exist.
    pub async fn organization_codes(
        &self,
        ids: &[OrganizationId],
    ) -> Result<HashMap<OrganizationId, String>, Error> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let rows: Vec<(Uuid, String)> = organization::Entity::find()
            .select_only()
            .columns([organization::Column::Id, organization::Column::Code])
            .filter(organization::Column::Id.is_in(ids.iter().map(|id| id.uuid())))
            .into_tuple()
            .all(&self.reader)
            .await?;
        let codes = rows.into_iter();
        Ok(codes
            .map(|(id, code)| (OrganizationId::from_uuid(id), code))
            .collect())
    }

    /// All organizations, oldest first, or the reason why a row cannot be read.
    pub async fn list_organizations(
        &self,
    ) -> Result<Vec<(OrganizationId, Result<Organization, Error>)>, Error> {
        let rows = organization::Entity::find()
            .order_by_asc(organization::Column::CreatedAt)
            .order_by_asc(organization::Column::Id)
            .into_model::<MaybeReadable<organization::Model>>()
            .all(&self.reader)
            .await?;
        let read = |MaybeReadable { id, row }| {
            let organization = row.and_then(Organization::try_from);
            (OrganizationId::from_uuid(id), organization)
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// The organization with that id (`org-…` or its UUID), code or slug.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Ambiguous`] if the text is the code of one and the slug of another.
    pub async fn find_organization(&self, text: &str) -> Result<Organization, Error> {
        let condition = match OrganizationId::parse_either(text) {
            Some(id) => Condition::all().add(organization::Column::Id.eq(id.uuid())),
            None => Condition::any()
                .add(organization::Column::Code.eq(text))
                .add(organization::Column::Slug.eq(text)),
        };
        let mut found = organization::Entity::find()
            .filter(condition)
            .limit(2)
            .all(&self.reader)
            .await?;
        let first = found.pop().ok_or(Error::NotFound)?;
        if found.is_empty() {
            first.try_into()
        } else {
            Err(Error::Ambiguous(text.to_owned()))
        }
    }

    /// Reactivates an organization. Revoked keys stay revoked. Does nothing if it is active.
    pub async fn reactivate_organization(
        &self,
        id: OrganizationId,
        by: &AuditContext,
    ) -> Result<Organization, Error> {
        let (write, before) = self.begin_within(id, by).await?;
        let after = Organization {
            is_active: true,
            deactivated_at: None,
            ..before.clone()
        };
        let action = Action::Operator("ReactivateOrganization");
        save(write, action, before, after).await
    }
}

impl TenantReader<'_> {
    pub async fn organization(&self) -> Result<Organization, Error> {
        let query = organization::Entity::find_by_id(self.scope.organization_id().uuid());
        find(query, &self.store.reader).await
    }
}

impl TenantWriter<'_> {
    /// Changes the organization. `change` gets the locked record; its error rolls back, and ids, codes, times and
    /// activity cannot be changed. Without a change nothing is written.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`] if `expected` is not the current version; [`Error::OrganizationInactive`];
    /// [`Error::SlugTaken`].
    pub async fn update_organization<E: From<Error>>(
        &self,
        expected: Option<i64>,
        change: impl FnOnce(&mut Organization) -> Result<(), E> + Send,
    ) -> Result<Organization, E> {
        self.change(Permission::UpdateOrganization, expected, change)
            .await
    }

    /// As [`Self::update_organization`], audited as a change of settings.
    pub async fn update_settings<E: From<Error>>(
        &self,
        expected: Option<i64>,
        change: impl FnOnce(&mut Organization) -> Result<(), E> + Send,
    ) -> Result<Organization, E> {
        self.change(Permission::UpdateSettings, expected, change)
            .await
    }

    async fn change<E: From<Error>>(
        &self,
        permission: Permission,
        expected: Option<i64>,
        change: impl FnOnce(&mut Organization) -> Result<(), E> + Send,
    ) -> Result<Organization, E> {
        let (mut write, before) = self.begin().await?;
        write.demand_version(expected, before.version);
        let mut after = before.clone();
        change(&mut after)?;
        after.is_active = before.is_active;
        after.deactivated_at = before.deactivated_at;
        Ok(save(write, Action::Permission(permission), before, after).await?)
    }

    /// Deactivates the organization and revokes all access keys, refresh tokens and invitations, in one
    /// transaction. Access tokens stay valid for reading.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`] if `expected` is not the current version; [`Error::OrganizationInactive`] if it is
    /// inactive already.
    pub async fn deactivate_organization(
        &self,
        expected: Option<i64>,
    ) -> Result<Organization, Error> {
        let (mut write, before) = self.begin_removal().await?;
        write.demand_version(expected, before.version);
        let of_organization = access_key::Column::OrganizationId.eq(before.id.uuid());
        write.revoke_keys(of_organization).await?;
        session::Entity::update_many()
            .col_expr(session::Column::RefreshRevokedAt, Expr::value(write.at()))
            .filter(session::Column::OrganizationId.eq(before.id.uuid()))
            .filter(session::Column::RefreshRevokedAt.is_null())
            // Ended sessions cannot be refreshed anyway, and there may be many.
            .filter(session::Column::EndedAt.is_null())
            .exec(&write.transaction)
            .await?;
        open_invitations::withdraw(&write, before.id, Condition::all()).await?;
        let after = Organization {
            is_active: false,
            deactivated_at: Some(write.at()),
            ..before.clone()
        };
        let action = Action::Permission(Permission::DeactivateOrganization);
        save(write, action, before, after).await
    }
}

/// Writes the change and its audit event, and commits.
async fn save(
    mut write: Write<'_>,
    action: Action,
    before: Organization,
    after: Organization,
) -> Result<Organization, Error> {
    change_slug(&mut write, &before, &after.slug).await?;
    write.save_and_commit(action, before, after).await
}

/// Takes the new slug, and reserves the previous one if it differs.
async fn change_slug(
    write: &mut Write<'_>,
    before: &Organization,
    slug: &str,
) -> Result<(), Error> {
    if slug != before.slug {
        names::claim_slug(write, before.id, slug).await?;
        names::release_slug(write, before).await?;
    }
    Ok(())
}
