//! Members of a tenant: list, change role, disable, remove.
//!
//! Each change locks the organization, so that the rule of the last owner holds under concurrency.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, Select};

use super::audit::Action;
use super::entity::user;
use super::lookup::{find, lock};
use super::open_invitations::withdraw_all_of;
use super::sessions::end_all;
use super::write::{Write, one_row};
use super::{Error, TenantReader, TenantWriter, users};
use charter_domain::id::UserId;
use charter_domain::permission::Permission;
use charter_domain::user::{OWNER, User};

impl TenantReader<'_> {
    fn users(&self) -> Select<user::Entity> {
        user::Entity::find()
            .filter(user::Column::OrganizationId.eq(self.scope.organization_id().uuid()))
    }

    /// All members, the oldest first.
    pub async fn list_members(&self) -> Result<Vec<User>, Error> {
        let _turn = self.wait_for_list().await?;
        let rows = self
            .users()
            .order_by_asc(user::Column::CreatedAt)
            .order_by_asc(user::Column::Id)
            .all(&self.store.reader)
            .await?;
        Ok(rows.into_iter().map(User::from).collect())
    }

    pub async fn member(&self, id: UserId) -> Result<User, Error> {
        let query = self.users().filter(user::Column::Id.eq(id.uuid()));
        find(query, &self.store.reader).await
    }

    async fn lock_member(&self, write: &Write<'_>, id: UserId) -> Result<User, Error> {
        lock(
            self.users().filter(user::Column::Id.eq(id.uuid())),
            &write.transaction,
        )
        .await
    }

    /// Fails if this is the only active owner.
    async fn require_another_owner(&self, write: &Write<'_>, user: &User) -> Result<(), Error> {
        if user.role != OWNER {
            return Ok(());
        }
        let others = self
            .users()
            .filter(user::Column::Role.eq(OWNER))
            .filter(user::Column::IsActive.eq(true))
            .filter(user::Column::Id.ne(user.id.uuid()))
            .count(&write.transaction)
            .await?;
        if others == 0 {
            return Err(Error::LastOwner);
        }
        Ok(())
    }
}

impl TenantWriter<'_> {
    /// Changes a member's role. `check` gets the locked row.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::LastOwner`], [`Error::OrganizationInactive`], and [`Error::GrantsChanged`] or
    /// [`Error::SessionEnded`] about the caller.
    pub async fn change_role<E: From<Error>>(
        &self,
        id: UserId,
        role: &str,
        check: impl FnOnce(&User) -> Result<(), E> + Send,
    ) -> Result<User, E> {
        let (mut write, organization) = self.begin().await?;
        let before = self.tenant.lock_member(&write, id).await?;
        check(&before)?;
        let after = User {
            role: role.to_owned(),
            ..before.clone()
        };
        if after == before {
            write.confirm().await?;
            return Ok(before);
        }
        self.tenant.require_another_owner(&write, &before).await?;
        withdraw_all_of(&write, organization.id, id).await?;
        let set = user::Entity::update_many().col_expr(user::Column::Role, Expr::value(role));
        users::update(&write, id, set).await?;
        let action = Action::Permission(Permission::ChangeRole);
        write.record_update(action, &before, &after).await?;
        write.commit().await?;
        Ok(after)
    }

    /// Removes a member permanently, with its sessions and links. The address becomes free, and the audit log
    /// remains. `check` gets the locked row. Useless rows are deleted before the transaction, in batches.
    ///
    /// # Errors
    ///
    /// Errors of `check`; [`Error::NotFound`], [`Error::OwnerNotRemovable`], [`Error::OrganizationInactive`],
    /// and errors about the caller.
    pub async fn remove_member<E: From<Error>>(
        &self,
        id: UserId,
        check: impl FnOnce(&User) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        let found = self.tenant.member(id).await?;
        if found.role != OWNER {
            self.tenant.store.forget_traces_of(id, &self.by).await?;
        }
        let (mut write, organization) = self.begin_removal().await?;
        let before = self.tenant.lock_member(&write, id).await?;
        check(&before)?;
        if before.role == OWNER {
            return Err(Error::OwnerNotRemovable.into());
        }
        withdraw_all_of(&write, organization.id, id).await?;
        let removed = user::Entity::delete_many()
            .filter(user::Column::Id.eq(id.uuid()))
            .filter(user::Column::OrganizationId.eq(organization.id.uuid()))
            .exec(&write.transaction)
            .await
            .map_err(Error::from)?;
        one_row(removed.rows_affected)?;
        let action = Action::Permission(Permission::RemoveMember);
        write.record_removal(action, &before).await?;
        write.commit().await?;
        Ok(())
    }

    /// Disables a member, which ends its sessions, or enables it again. For operators.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::LastOwner`].
    pub async fn set_member_active(&self, id: UserId, is_active: bool) -> Result<User, Error> {
        // Also in a deactivated organization, whose members can still sign in.
        let TenantReader { store, scope } = self.tenant;
        let begun = store.begin_within(scope.organization_id(), &self.by);
        let (mut write, organization) = begun.await?;
        let before = self.tenant.lock_member(&write, id).await?;
        let after = User {
            is_active,
            ..before.clone()
        };
        if after == before {
            write.confirm().await?;
            return Ok(before);
        }
        if !is_active {
            self.tenant.require_another_owner(&write, &before).await?;
            end_all(&write, id).await?;
            withdraw_all_of(&write, organization.id, id).await?;
        }
        let is_active = Expr::value(is_active);
        let set = user::Entity::update_many().col_expr(user::Column::IsActive, is_active);
        users::update(&write, id, set).await?;
        let action = Action::Operator("SetUserActive");
        write.record_update(action, &before, &after).await?;
        write.commit().await?;
        Ok(after)
    }
}
