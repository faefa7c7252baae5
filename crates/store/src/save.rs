//! Saves records under their next version, with audit events.

use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value;

use super::Error;
use super::audit::{Action, Changes, Entry};
use super::record::{Audited, Versioned};
use super::write::{Write, one_row};

impl Write<'_> {
    /// Writes the changes of a locked record under its next version, with the audit event. Does nothing without
    /// changes.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`] if the row has another version; [`Error::SlugTaken`].
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

    /// As [`Self::save`], and commits.
    pub(super) async fn save_and_commit<R: Versioned>(
        mut self,
        action: Action,
        before: R,
        after: R,
    ) -> Result<R, Error> {
        let version = before.version();
        let after = self.save(action, before, after).await?;
        if after.version() == version {
            self.confirm().await?;
        } else {
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
