//! Records of a tenant: looked up, saved under their next version, each change with its audit event.

use sea_orm::sea_query::Condition;
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Select};
use serde_json::Value;

use super::Error;
use super::audit::{Action, Changes, Entry};
use super::write::{Write, one_row};
use charter_domain::id::OrganizationId;
use charter_domain::timestamp::Timestamp;

/// A record whose changes are on record.
pub(super) trait Audited {
    fn tenant(&self) -> OrganizationId;
    /// Its typed id.
    fn resource(&self) -> String;
    /// What the audit log shows of it: never a secret, sealed or hashed or not.
    fn view(&self) -> Value;
}

/// A record whose row has a version, which makes its entity tag and guards its updates.
pub(super) trait Versioned: Audited + Clone + PartialEq {
    type Row: ActiveModelTrait;
    const VERSION: <<Self::Row as ActiveModelTrait>::Entity as EntityTrait>::Column;

    fn version(&self) -> i64;
    fn stamp(&mut self, version: i64, updated_at: Timestamp);
    /// The new values of what an update may change, all else as it was `before`.
    fn over(self, before: &Self) -> Self;
    /// Which row it is.
    fn row(&self) -> Condition;
    /// The columns that an update writes.
    fn changeable(&self) -> Self::Row;
}

impl Write<'_> {
    /// Writes what changed of a locked record under its next version, with the audit event; nothing
    /// where nothing changed.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`] if the row has another version, [`Error::SlugTaken`], and those of the database.
    pub(super) async fn save<R: Versioned>(
        &mut self,
        action: Action,
        before: R,
        after: R,
    ) -> Result<R, Error> {
        let mut after = after.over(&before);
        if after == before {
            return Ok(before);
        }
        after.stamp(before.version().saturating_add(1), self.at());
        let updated = <R::Row as ActiveModelTrait>::Entity::update_many()
            .set(after.changeable())
            .filter(before.row())
            .filter(R::VERSION.eq(before.version()))
            .exec(&self.transaction)
            .await?;
        one_row(updated.rows_affected)?;
        self.record_update(action, &before, &after).await?;
        Ok(after)
    }

    /// As [`Self::save`], and commits; without a change there is nothing to commit.
    pub(super) async fn save_and_commit<R: Versioned>(
        mut self,
        action: Action,
        before: R,
        after: R,
    ) -> Result<R, Error> {
        let version = before.version();
        let after = self.save(action, before, after).await?;
        if after.version() != version {
            self.commit().await?;
        }
        Ok(after)
    }

    pub(super) async fn record_creation(
        &mut self,
        action: Action,
        made: &impl Audited,
    ) -> Result<(), Error> {
        let changes = Changes::created(made.view());
        self.record_of(action, made, changes).await
    }

    pub(super) async fn record_update<R: Audited>(
        &mut self,
        action: Action,
        before: &R,
        after: &R,
    ) -> Result<(), Error> {
        let changes = Changes::between(before.view(), after.view());
        self.record_of(action, before, changes).await
    }

    pub(super) async fn record_removal(
        &mut self,
        action: Action,
        removed: &impl Audited,
    ) -> Result<(), Error> {
        let changes = Changes::between(removed.view(), Value::Null);
        self.record_of(action, removed, changes).await
    }

    async fn record_of(
        &mut self,
        action: Action,
        about: &impl Audited,
        changes: Changes,
    ) -> Result<(), Error> {
        let entry = Entry {
            action,
            resource: about.resource(),
            changes,
        };
        self.record(about.tenant(), entry).await
    }
}

/// The record that a query finds.
///
/// # Errors
///
/// [`Error::NotFound`], and those of the database.
pub(super) async fn find<E, R>(
    query: Select<E>,
    connection: &impl ConnectionTrait,
) -> Result<R, Error>
where
    E: EntityTrait,
    R: TryFrom<E::Model>,
    Error: From<R::Error>,
{
    let row = query.one(connection).await?.ok_or(Error::NotFound)?;
    Ok(row.try_into()?)
}

/// As [`find`], and locks it until the write ends.
pub(super) async fn lock<E, R>(query: Select<E>, write: &Write<'_>) -> Result<R, Error>
where
    E: EntityTrait,
    R: TryFrom<E::Model>,
    Error: From<R::Error>,
{
    use sea_orm::QuerySelect as _;
    find(query.lock_exclusive(), &write.transaction).await
}
