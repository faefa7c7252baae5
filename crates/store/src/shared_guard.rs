//! What replicas agree on about the nonces that they share: one row, which is read and replaced under its lock.
//!
//! `authn` interprets it, as it does the lease beside it, which says that replicas accept nonces for the database and
//! no process by itself.

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};

use super::connect::Transaction;
use super::entity::{guard_lease, shared_guard};
use super::guard_lease::{ID, insert_lease, replace_lease};
use super::{Error, GuardLease, Store};

/// What replicas agree on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SharedGuard {
    /// Changes with each loss of nonces; empty before the first.
    pub epoch: String,
    /// The server that holds the nonces, another one after each restart.
    pub server: String,
    /// Tells one key of hashes from another.
    pub hash_key: String,
    /// When nonces may have been accepted in this epoch, encoded by the replay guard.
    pub marked: String,
    /// When nonces may have been accepted and lost, likewise.
    pub closed: String,
}

/// The row and the lease, locked until this is saved or dropped.
pub struct SharedGuardTurn {
    transaction: Transaction,
    pub guard: SharedGuard,
    /// `None` if there never was one.
    pub lease: Option<GuardLease>,
}

impl Store {
    /// Locks the row. Others wait, so do nothing long meanwhile.
    pub async fn begin_shared_guard(&self) -> Result<SharedGuardTurn, Error> {
        let transaction = self.writer.begin_alone().await?;
        let row = shared_guard::Entity::find_by_id(ID)
            .lock_exclusive()
            .one(&transaction)
            .await?
            .ok_or_else(no_row)?;
        let lease = guard_lease::Entity::find_by_id(ID)
            .lock_exclusive()
            .one(&transaction)
            .await?;
        Ok(SharedGuardTurn {
            transaction,
            guard: SharedGuard::from(row),
            lease: lease.map(GuardLease::from),
        })
    }

    /// What replicas agree on, read without a lock.
    pub async fn shared_guard(&self) -> Result<SharedGuard, Error> {
        let row = shared_guard::Entity::find_by_id(ID)
            .one(&self.reader)
            .await?;
        row.map(SharedGuard::from).ok_or_else(no_row)
    }

    /// A sign of life of a run that several processes share; returns whether it still holds the lease.
    pub async fn beat_guard_lease(&self, run: &str) -> Result<bool, Error> {
        use guard_lease::Column;
        let extended = guard_lease::Entity::update_many()
            .col_expr(Column::Beat, Expr::col(Column::Beat).add(1))
            .filter(Column::Run.eq(run))
            .exec(&self.writer)
            .await?;
        Ok(extended.rows_affected == 1)
    }
}

impl SharedGuardTurn {
    /// Replaces both.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`] if another process has taken the lease meanwhile; then nothing has changed.
    pub async fn save(self, guard: SharedGuard, lease: &GuardLease) -> Result<(), Error> {
        let replaced = match &self.lease {
            None => insert_lease(&self.transaction, lease).await?,
            Some(seen) => replace_lease(&self.transaction, seen, lease).await?,
        };
        if !replaced {
            return Err(Error::Stale);
        }
        let row = shared_guard::Model {
            id: ID,
            epoch: guard.epoch,
            server: guard.server,
            hash_key: guard.hash_key,
            marked: guard.marked,
            closed: guard.closed,
        };
        shared_guard::Entity::update(row.into_active_model().reset_all())
            .exec(&self.transaction)
            .await?;
        self.transaction.commit().await
    }
}

impl From<shared_guard::Model> for SharedGuard {
    fn from(row: shared_guard::Model) -> Self {
        Self {
            epoch: row.epoch,
            server: row.server,
            hash_key: row.hash_key,
            marked: row.marked,
            closed: row.closed,
        }
    }
}

fn no_row() -> Error {
    Error::Corrupt("`shared_guard` has no row".to_owned())
}
