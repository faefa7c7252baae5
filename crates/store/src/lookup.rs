//! Reads one record.

use sea_orm::{ConnectionTrait, EntityTrait, QuerySelect, Select};

use super::Error;
use super::connect::Transaction;

pub(super) async fn find<E, R>(
    query: Select<E>,
    connection: &impl ConnectionTrait,
) -> Result<R, Error>
where
    E: EntityTrait,
    R: TryFrom<E::Model>,
    Error: From<R::Error>,
{
    // `one` binds a limit, and SQLite prepares a statement anew whenever its limit is bound.
    let row = query.all(connection).await?.pop().ok_or(Error::NotFound)?;
    Ok(row.try_into()?)
}

/// As [`find`], and locks the row until the transaction ends.
pub(super) async fn lock<E, R>(query: Select<E>, transaction: &Transaction) -> Result<R, Error>
where
    E: EntityTrait,
    R: TryFrom<E::Model>,
    Error: From<R::Error>,
{
    find(query.lock_exclusive(), transaction).await
}
