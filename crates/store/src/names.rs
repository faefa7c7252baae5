//! Codes and slugs of organizations share one namespace, so that a name identifies one organization; the table's
//! primary key ensures it. A slug that was given up stays reserved for a while.

use std::time::Duration;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict, Query};
use sea_orm::{ColumnTrait, EntityTrait, Insert, QueryFilter, TryInsertResult};

use super::entity::organization_name::{ActiveModel, Column, Entity};
use super::write::Write;
use super::{Error, codes};
use charter_domain::code::Code;
use charter_domain::entropy::Entropy;
use charter_domain::id::OrganizationId;
use charter_domain::organization::Organization;

/// How long a slug stays reserved for its previous organization.
const REST: Duration = Duration::from_hours(30 * 24);
/// Reserved slugs of one organization. Beyond it the oldest become free at once, so renaming cannot reserve many
/// names.
const MOST_RESTING: u64 = 10;

/// Draws a code that is not yet a code or slug.
pub(super) async fn draw_code(
    write: &Write<'_>,
    entropy: &dyn Entropy,
    id: OrganizationId,
) -> Result<Code, Error> {
    let row = |code: &Code| ActiveModel {
        name: Set(code.to_string()),
        organization_id: Set(id.uuid()),
        rests_until: Set(None),
    };
    Ok(codes::insert(&write.transaction, entropy, Column::Name, row).await?)
}

/// Takes a slug that is free or reserved for this organization.
///
/// # Errors
///
/// [`Error::SlugTaken`].
pub(super) async fn claim_slug(
    write: &Write<'_>,
    id: OrganizationId,
    slug: &str,
) -> Result<(), Error> {
    let row = ActiveModel {
        name: Set(slug.to_owned()),
        organization_id: Set(id.uuid()),
        rests_until: Set(None),
    };
    let rests_until = Expr::col((Entity, Column::RestsUntil));
    let was_its_own = Expr::col((Entity, Column::OrganizationId)).eq(id.uuid());
    let is_free = rests_until
        .clone()
        .is_not_null()
        .and(was_its_own.or(rests_until.lte(write.at())));
    let taken_over = OnConflict::column(Column::Name)
        .update_columns([Column::OrganizationId, Column::RestsUntil])
        .action_and_where(is_free)
        .to_owned();
    let claimed = Insert::one(row)
        .on_conflict(taken_over)
        .try_insert()
        .exec_without_returning(&write.transaction)
        .await?;
    match claimed {
        TryInsertResult::Inserted(1) => Ok(()),
        _ => Err(Error::SlugTaken),
    }
}

/// Frees the slug of an organization that ends, and those that are reserved for it.
pub(super) async fn free_slugs(write: &Write<'_>, of: &Organization) -> Result<(), Error> {
    Entity::delete_many()
        .filter(Column::OrganizationId.eq(of.id.uuid()))
        // The code stays, and is never reused.
        .filter(Column::Name.ne(of.code.as_str()))
        .exec(&write.transaction)
        .await?;
    Ok(())
}

/// Reserves the slug that an organization gives up.
pub(super) async fn release_slug(write: &Write<'_>, of: &Organization) -> Result<(), Error> {
    let id = of.id.uuid();
    Entity::update_many()
        .col_expr(Column::RestsUntil, Expr::value(write.at() + REST))
        .filter(Column::Name.eq(of.slug.as_str()))
        // They may be equal in organizations from before the shared namespace.
        .filter(Column::Name.ne(of.code.as_str()))
        .filter(Column::OrganizationId.eq(id))
        .filter(Column::RestsUntil.is_null())
        .exec(&write.transaction)
        .await?;
    let newest = Query::select()
        .column(Column::Name)
        .from(Entity)
        .and_where(Column::OrganizationId.eq(id))
        .and_where(Column::RestsUntil.is_not_null())
        .order_by(Column::RestsUntil, sea_orm::Order::Desc)
        .order_by(Column::Name, sea_orm::Order::Asc)
        .limit(MOST_RESTING)
        .to_owned();
    Entity::delete_many()
        .filter(Column::OrganizationId.eq(id))
        .filter(Column::RestsUntil.is_not_null())
        .filter(Column::Name.not_in_subquery(newest))
        .exec(&write.transaction)
        .await?;
    Ok(())
}
