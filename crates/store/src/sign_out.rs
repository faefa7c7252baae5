//! Ends the sessions of many users at once, for operators: after a backup was restored, the sessions that ended
//! since it was made are open again.

use sea_orm::prelude::Uuid;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;

use super::audit::{Action, AuditEntry, Changes};
use super::entity::session;
use super::{Error, Store, session_upkeep};
use charter_domain::audit::AuditContext;
use charter_domain::id::{OrganizationId, UserId};

impl Store {
    /// The organizations whose users have sessions that have not ended.
    pub async fn organizations_with_sessions(&self) -> Result<Vec<OrganizationId>, Error> {
        let ids: Vec<Uuid> = session::Entity::find()
            .select_only()
            .column(session::Column::OrganizationId)
            .distinct()
            .filter(session::Column::EndedAt.is_null())
            .order_by_asc(session::Column::OrganizationId)
            .into_tuple()
            .all(&self.reader)
            .await?;
        Ok(ids.into_iter().map(OrganizationId::from_uuid).collect())
    }

    /// Ends the sessions of a user, or of all users of the organization, and returns their number. It may be
    /// deactivated.
    pub async fn sign_out(
        &self,
        organization: OrganizationId,
        user: Option<UserId>,
        by: &AuditContext,
    ) -> Result<u64, Error> {
        let (mut write, _) = self.begin_within(organization, by).await?;
        let of_all = session::Column::OrganizationId.eq(organization.uuid());
        let which = match user {
            Some(user) => of_all.and(session::Column::UserId.eq(user.uuid())),
            None => of_all,
        };
        let ended = session_upkeep::end(&write, which).await?;
        if ended == 0 {
            write.confirm().await?;
            return Ok(0);
        }
        let resource = user.map_or_else(|| organization.to_string(), |user| user.to_string());
        let entry = AuditEntry {
            action: Action::Operator("SignOut"),
            resource,
            changes: Changes::between(json!({}), json!({"ended_sessions": ended})),
        };
        write.record(organization, entry).await?;
        write.commit().await?;
        Ok(ended)
    }
}
