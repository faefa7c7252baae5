//! Nonces of writes: each is a row of its write's own transaction, so that it makes no second one whatever has
//! forgotten it elsewhere.

use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter};

use super::entity::write_nonce::{Column, Entity, Model};
use super::write::Write;
use super::{Error, Store};
use charter_domain::access_key::SpentNonce;
use charter_domain::timestamp::Timestamp;

impl Write<'_> {
    /// Remembers the nonce with the write. Another write of the same request finds its own row.
    ///
    /// # Errors
    ///
    /// [`Error::NonceSpent`].
    pub(super) async fn spend(&self, nonce: SpentNonce) -> Result<(), Error> {
        spend(&self.transaction, nonce).await
    }
}

impl Store {
    /// Remembers the nonce of a write that somebody else makes, behind a gateway.
    ///
    /// # Errors
    ///
    /// [`Error::NonceSpent`].
    pub async fn spend_nonce(&self, nonce: SpentNonce) -> Result<(), Error> {
        spend(&self.writer, nonce).await
    }

    /// Drops nonces whose requests are not accepted any more.
    pub async fn forget_write_nonces(&self, now: Timestamp) -> Result<u64, Error> {
        let gone = Entity::delete_many()
            .filter(Column::OverAt.lt(now.timestamp()))
            .exec(&self.writer)
            .await?;
        Ok(gone.rows_affected)
    }
}

async fn spend(connection: &impl ConnectionTrait, nonce: SpentNonce) -> Result<(), Error> {
    let claim = nonce.claim.to_vec();
    let row = Model {
        fingerprint: nonce.fingerprint.to_vec(),
        claim: claim.clone(),
        over_at: nonce.over_at,
    };
    let own = OnConflict::column(Column::Fingerprint)
        .update_column(Column::Claim)
        .action_and_where(Expr::col((Entity, Column::Claim)).eq(claim))
        .to_owned();
    let spent = Entity::insert(row.into_active_model())
        .on_conflict(own)
        .exec_without_returning(connection)
        .await?;
    if spent == 1 {
        Ok(())
    } else {
        Err(Error::NonceSpent)
    }
}
