//! Expires registrations that were never verified, which frees their address and slug.
//!
//! The organization is kept, deactivated and under a slug that nobody can choose, because its audit log and code
//! are permanent.

use sea_orm::prelude::Uuid;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use super::audit::Action;
use super::entity::{job, service_account, stored_time, user};
use super::write::Write;
use super::{Error, Store, names};
use charter_domain::audit::AuditContext;
use charter_domain::id::{OrganizationId, UserId};
use charter_domain::organization::Organization;
use charter_domain::timestamp::Timestamp;
use charter_domain::user::User;

const HANDFUL: u64 = 100;
const ACTION: Action = Action::System("ExpireRegistration");

impl Store {
    /// Expires registrations from before `time` whose owner has not verified the address and is the only member.
    /// Returns their number. One that fails is logged and does not keep the others from expiring.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`], and what the list of registrations fails with; those before stay expired.
    pub async fn expire_registrations_before(
        &self,
        time: Timestamp,
        by: &AuditContext,
    ) -> Result<u64, Error> {
        let (mut expired, mut last) = (0, Uuid::nil());
        loop {
            let handful = user::Entity::find()
                .filter(user::Column::EmailVerifiedAt.is_null())
                .filter(user::Column::CreatedAt.lt(stored_time(time)))
                .filter(user::Column::Id.gt(last))
                .order_by_asc(user::Column::Id)
                .limit(HANDFUL)
                .all(&self.reader)
                .await?;
            let Some(newest) = handful.last() else {
                return Ok(expired);
            };
            last = newest.id;
            for owner in handful {
                let organization = OrganizationId::from_uuid(owner.organization_id);
                match self.expire_registration(owner.into(), by).await {
                    Ok(ended) => expired += u64::from(ended),
                    Err(error @ Error::Unavailable(_)) => return Err(error),
                    // One tenant's corrupt row must not block the others.
                    Err(error) => {
                        tracing::warn!(%organization, %error, "could not expire a registration; retrying");
                    }
                }
            }
        }
    }

    /// Returns false if the organization is in use.
    async fn expire_registration(&self, owner: User, by: &AuditContext) -> Result<bool, Error> {
        if !is_alone(&self.reader, owner.organization_id, owner.id).await? {
            return Ok(false);
        }
        self.forget_traces_of(owner.id, by).await?;
        let mut write = self.begin_within(owner.organization_id, by).await?.0;
        let ended = end_registration(&mut write, &owner, ACTION).await?;
        if ended {
            write.commit().await?;
        }
        Ok(ended)
    }
}

/// Expires a registration within a transaction, which then locks its organization. Returns false if the
/// organization is in use.
pub(super) async fn end_registration(
    write: &mut Write<'_>,
    owner: &User,
    action: Action,
) -> Result<bool, Error> {
    let before = write.lock_organization(owner.organization_id).await?;
    let unverified = user::Entity::find_by_id(owner.id.uuid())
        .filter(user::Column::EmailVerifiedAt.is_null())
        .lock_exclusive()
        .one(&write.transaction)
        .await?;
    if unverified.is_none() || !is_alone(&write.transaction, before.id, owner.id).await? {
        return Ok(false);
    }
    job::Entity::delete_many()
        .filter(job::Column::OrganizationId.eq(before.id.uuid()))
        .exec(&write.transaction)
        .await?;
    user::Entity::delete_by_id(owner.id.uuid())
        .exec(&write.transaction)
        .await?;
    write.record_removal(action, owner).await?;
    let after = Organization {
        // No valid slug has two hyphens in a row.
        slug: format!("expired--{}", before.code.as_str()),
        is_active: false,
        deactivated_at: Some(write.at()),
        ..before.clone()
    };
    // Whoever registers the name again is not to wait for it.
    names::free_slugs(write, &before).await?;
    names::claim_slug(write, before.id, &after.slug).await?;
    write.save(action, before, after).await?;
    // Whoever made it give way may take its slug.
    write.apply().await?;
    Ok(true)
}

/// Whether the owner is the only actor of the organization.
async fn is_alone(
    connection: &impl sea_orm::ConnectionTrait,
    organization: OrganizationId,
    user: UserId,
) -> Result<bool, Error> {
    let others = user::Entity::find()
        .filter(user::Column::OrganizationId.eq(organization.uuid()))
        .filter(user::Column::Id.ne(user.uuid()))
        .count(connection)
        .await?;
    let programs = service_account::Entity::find()
        .filter(service_account::Column::OrganizationId.eq(organization.uuid()))
        .count(connection)
        .await?;
    Ok(others == 0 && programs == 0)
}
