//! Which process accepts nonces for this database: one row, which its holder updates.
//!
//! `authn` interprets the row; here it is read and replaced as a whole.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, TryInsertResult,
};

use super::entity::guard_lease::{self, Column};
use super::{Error, Store};

/// There is one row.
pub(super) const ID: i64 = 1;
/// The migration that creates the table.
const MIGRATION: &str = "m20261128_000006_guard_lease";

/// The process that accepts nonces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardLease {
    /// Unique for each start of a process.
    pub run: String,
    /// Number of extensions.
    pub beat: i64,
    /// Whether the run has ended and released the lease.
    pub released: bool,
    /// When this and earlier holders may have accepted nonces, encoded by the replay guard.
    pub used: String,
    /// Describes the process for operators.
    pub holder: String,
}

impl Store {
    /// The current lease; `None` if there never was one or the table does not exist yet.
    pub async fn guard_lease(&self) -> Result<Option<GuardLease>, Error> {
        let migrations = self.migration_status().await?;
        let has_table = |one: &super::MigrationStatus| one.name == MIGRATION && one.applied;
        if !migrations.iter().any(has_table) {
            return Ok(None);
        }
        let row = guard_lease::Entity::find_by_id(ID)
            .one(&self.reader)
            .await?;
        Ok(row.map(GuardLease::from))
    }

    /// Takes the lease if it is still as `seen`; returns whether it was.
    pub async fn take_guard_lease(
        &self,
        seen: Option<&GuardLease>,
        new: &GuardLease,
    ) -> Result<bool, Error> {
        match seen {
            None => insert_lease(&self.writer, new).await,
            Some(seen) => replace_lease(&self.writer, seen, new).await,
        }
    }

    /// Extends the lease of a run; returns whether the run still holds it.
    ///
    /// # Errors
    ///
    /// After an error the lease may have been extended.
    pub async fn extend_guard_lease(
        &self,
        run: &str,
        beat: i64,
        used: &str,
    ) -> Result<bool, Error> {
        let extended = guard_lease::Entity::update_many()
            .col_expr(Column::Beat, Expr::value(beat))
            .col_expr(Column::Used, Expr::value(used))
            .filter(Column::Run.eq(run))
            .exec(&self.writer)
            .await?;
        Ok(extended.rows_affected == 1)
    }

    /// Releases the lease, if the run still holds it.
    pub async fn release_guard_lease(&self, run: &str) -> Result<(), Error> {
        guard_lease::Entity::update_many()
            .col_expr(Column::Released, Expr::value(true))
            .filter(Column::Run.eq(run))
            .exec(&self.writer)
            .await?;
        Ok(())
    }
}

/// Inserts the first lease; returns whether there was none.
pub(super) async fn insert_lease(
    on: &impl ConnectionTrait,
    new: &GuardLease,
) -> Result<bool, Error> {
    let nothing = OnConflict::column(Column::Id).do_nothing().to_owned();
    let inserted = guard_lease::Entity::insert(row(new))
        .on_conflict(nothing)
        .try_insert()
        .exec_without_returning(on)
        .await?;
    Ok(matches!(inserted, TryInsertResult::Inserted(1)))
}

/// Replaces the lease if it is still as `seen`; returns whether it was.
pub(super) async fn replace_lease(
    on: &impl ConnectionTrait,
    seen: &GuardLease,
    new: &GuardLease,
) -> Result<bool, Error> {
    let taken = guard_lease::Entity::update_many()
        .set(row(new))
        .filter(Column::Id.eq(ID))
        .filter(Column::Run.eq(seen.run.as_str()))
        .filter(Column::Beat.eq(seen.beat))
        .exec(on)
        .await?;
    Ok(taken.rows_affected == 1)
}

fn row(lease: &GuardLease) -> guard_lease::ActiveModel {
    guard_lease::ActiveModel {
        id: ActiveValue::Set(ID),
        run: ActiveValue::Set(lease.run.clone()),
        beat: ActiveValue::Set(lease.beat),
        released: ActiveValue::Set(lease.released),
        used: ActiveValue::Set(lease.used.clone()),
        holder: ActiveValue::Set(lease.holder.clone()),
    }
}

impl From<guard_lease::Model> for GuardLease {
    fn from(row: guard_lease::Model) -> Self {
        Self {
            run: row.run,
            beat: row.beat,
            released: row.released,
            used: row.used,
            holder: row.holder,
        }
    }
}
