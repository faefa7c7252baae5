//! Saves records under their next version, with audit events.

use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryTrait};
use serde_json::Value;

use super::Error;
use super::audit::{Action, AuditEntry, Changes};
use super::record::{Audited, Versioned};
use super::write::Write;

impl Write<'_> {
    /// Changes a locked record, under its next version, with the audit event; the database hears of it with the
    /// commit, or by [`Self::apply`]. Does nothing without changes.
    ///
    /// # Errors
    ///
    /// Those of reading the audit chain.
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
        let update = <R::Row as ActiveModelTrait>::Entity::update_many()
            .set(after.changeable())
            .filter(before.row())
            .filter(R::VERSION.eq(before.version()));
        self.will_change(QueryTrait::into_query(update));
        self.record_update(action, &before, &after).await?;
        Ok(after)
    }

    /// As [`Self::save`], and commits.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`] if the row has another version; [`Error::SlugTaken`].
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
        let entry = AuditEntry {
            action,
            resource: about.resource(),
            changes,
        };
        self.record(about.tenant(), entry).await
    }
}
