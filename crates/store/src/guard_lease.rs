//! Which process accepts nonces for this database: one row, moved by whoever holds it.
//!
//! What the row means is decided in `authn`; here it is read and exchanged whole.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue, ColumnTrait, EntityTrait, QueryFilter, TryInsertResult};

use super::entity::guard_lease::{self, Column};
use super::{Error, Store};

/// There is one row.
const ID: i64 = 1;
/// The migration that makes the table.
const MIGRATION: &str = "m20261128_000006_guard_lease";

/// Who accepts nonces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardLease {
    /// Which start of which process; no two are the same.
    pub run: String,
    /// How often it has extended it.
    pub beat: i64,
    /// Whether the run has ended and said so.
    pub released: bool,
    /// What it and all before it may have accepted, in the replay guard's own words.
    pub used: String,
    /// Which process that is, for people.
    pub holder: String,
}

impl Store {
    /// The lease as it stands; `None` if there never was one, or the schema is older than it.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn guard_lease(&self) -> Result<Option<GuardLease>, Error> {
        let migrations = self.migration_status().await?;
        let has_table = |one: &super::MigrationStatus| one.name == MIGRATION && one.applied;
        if !migrations.iter().any(has_table) {
            return Ok(None);
        }
        let row = guard_lease::Entity::find_by_id(ID)
            .one(&self.reader)
            .await?;
        Ok(row.map(|row| GuardLease {
            run: row.run,
            beat: row.beat,
            released: row.released,
            used: row.used,
            holder: row.holder,
        }))
    }

    /// Takes the lease, if it still is as it was seen; whether it was.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn take_guard_lease(
        &self,
        seen: Option<&GuardLease>,
        new: &GuardLease,
    ) -> Result<bool, Error> {
        let row = guard_lease::ActiveModel {
            id: ActiveValue::Set(ID),
            run: ActiveValue::Set(new.run.clone()),
            beat: ActiveValue::Set(new.beat),
            released: ActiveValue::Set(new.released),
            used: ActiveValue::Set(new.used.clone()),
            holder: ActiveValue::Set(new.holder.clone()),
        };
        let Some(seen) = seen else {
            let nothing = OnConflict::column(Column::Id).do_nothing().to_owned();
            let inserted = guard_lease::Entity::insert(row)
                .on_conflict(nothing)
                .try_insert()
                .exec_without_returning(&self.writer)
                .await?;
            return Ok(matches!(inserted, TryInsertResult::Inserted(1)));
        };
        let taken = guard_lease::Entity::update_many()
            .set(row)
            .filter(Column::Id.eq(ID))
            .filter(Column::Run.eq(seen.run.as_str()))
            .filter(Column::Beat.eq(seen.beat))
            .exec(&self.writer)
            .await?;
        Ok(taken.rows_affected == 1)
    }

    /// Moves the lease of that run; whether it still was that run's.
    ///
    /// # Errors
    ///
    /// Those of the database; it may have moved all the same.
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

    /// Says that the run has ended, if the lease still is its own.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn release_guard_lease(&self, run: &str) -> Result<(), Error> {
        guard_lease::Entity::update_many()
            .col_expr(Column::Released, Expr::value(true))
            .filter(Column::Run.eq(run))
            .exec(&self.writer)
            .await?;
        Ok(())
    }
}
