//! Inserts rows under a random code, drawing again on a collision.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, DbErr, EntityTrait, Insert, TryInsertResult};

use super::Error;
use super::connect::Transaction;
use charter_domain::code::Code;
use charter_domain::entropy::Entropy;

/// There are two billion codes. Even half full, this many collisions in a row mean a broken generator.
const MAX_DRAWS: usize = 64;

/// Inserts the row that `row` makes for a code, with a new code while the code is taken.
pub(super) async fn insert<A>(
    transaction: &Transaction,
    entropy: &dyn Entropy,
    code: <A::Entity as EntityTrait>::Column,
    row: impl Fn(&Code) -> A,
) -> Result<Code, InsertError>
where
    A: ActiveModelTrait,
{
    for _ in 0..MAX_DRAWS {
        let drawn = Code::generate(entropy);
        let inserted = Insert::one(row(&drawn))
            .on_conflict(OnConflict::column(code).do_nothing().to_owned())
            .try_insert()
            .exec_without_returning(transaction)
            .await
            .map_err(InsertError::Database)?;
        if let TryInsertResult::Inserted(1) = inserted {
            return Ok(drawn);
        }
    }
    Err(InsertError::NoFreeCode)
}

pub(super) enum InsertError {
    Database(DbErr),
    NoFreeCode,
}

impl From<InsertError> for Error {
    fn from(error: InsertError) -> Self {
        match error {
            InsertError::Database(error) => error.into(),
            InsertError::NoFreeCode => {
                Self::Unexpected("every code that was drawn is taken".into())
            }
        }
    }
}
