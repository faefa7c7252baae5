//! Open invitations of a tenant: list and withdraw.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, Select};
use serde_json::{Value, json};

use super::audit::{Action, AuditEntry, Changes};
use super::entity::{invitation, stored_time};
use super::lookup::find;
use super::write::Write;
use super::{Error, TenantReader, TenantWriter};
use charter_domain::id::{InvitationId, OrganizationId, UserId};
use charter_domain::invitation::Invitation;
use charter_domain::permission::Permission;
use charter_domain::timestamp::Timestamp;
use invitation::Column;

impl TenantReader<'_> {
    fn open_invitations(&self, now: Timestamp) -> Select<invitation::Entity> {
        invitation::Entity::find()
            .filter(Column::OrganizationId.eq(self.scope.organization_id().uuid()))
            .filter(Column::AcceptedAt.is_null())
            .filter(Column::RevokedAt.is_null())
            .filter(Column::ExpiresAt.gt(stored_time(now)))
    }

    /// All open invitations, newest first.
    pub async fn list_invitations(&self) -> Result<Vec<Invitation>, Error> {
        let _turn = self.wait_for_list().await?;
        let rows = self
            .open_invitations(self.store.clock.now())
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .all(&self.store.reader)
            .await?;
        Ok(rows.into_iter().map(Invitation::from).collect())
    }

    pub async fn invitation(&self, id: InvitationId) -> Result<Invitation, Error> {
        let query = self.open_invitations(self.store.clock.now());
        let query = query.filter(Column::Id.eq(id.uuid()));
        find(query, &self.store.reader).await
    }
}

impl TenantWriter<'_> {
    /// Withdraws an invitation: its link is void, and an unsent email is not sent.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::OrganizationInactive`], and errors about the caller.
    pub async fn withdraw_invitation(&self, id: InvitationId) -> Result<(), Error> {
        let (mut write, organization) = self.begin_removal().await?;
        let query = self.tenant.open_invitations(write.at());
        let query = query.filter(Column::Id.eq(id.uuid()));
        let before: Invitation = find(query, &write.transaction).await?;
        withdraw(&write, organization.id, Column::Id.eq(id.uuid())).await?;
        let entry = AuditEntry {
            action: Action::Permission(Permission::InviteMember),
            resource: id.to_string(),
            changes: Changes::between(
                json!({"email": before.email.as_str(), "role": before.role}),
                Value::Null,
            ),
        };
        write.record(organization.id, entry).await?;
        write.commit().await
    }
}

/// Withdraws the open invitations of a member who has lost the role that allowed them.
pub(super) async fn withdraw_all_of(
    write: &Write<'_>,
    organization: OrganizationId,
    inviter: UserId,
) -> Result<(), Error> {
    withdraw(write, organization, Column::InvitedBy.eq(inviter.uuid())).await
}

/// Withdraws these invitations of the organization, except accepted ones.
pub(super) async fn withdraw(
    write: &Write<'_>,
    organization: OrganizationId,
    which: impl Into<Condition>,
) -> Result<(), Error> {
    invitation::Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(write.at()))
        .filter(Column::OrganizationId.eq(organization.uuid()))
        .filter(which.into())
        .filter(Column::AcceptedAt.is_null())
        .filter(Column::RevokedAt.is_null())
        .exec(&write.transaction)
        .await?;
    Ok(())
}
