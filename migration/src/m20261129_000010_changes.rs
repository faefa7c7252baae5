//! The changes of each write, so that other processes can invalidate their caches.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, run};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager);
        let (number, more) = dialect.commit_order();
        let (uuid, strict) = (dialect.uuid, dialect.strict);
        run(
            manager,
            [format!(
                "CREATE TABLE changes (id {number}, organization_id {uuid}{more}){strict}"
            )],
        )
        .await?;
        if more.is_empty() {
            return Ok(());
        }
        let index = "CREATE INDEX changes_by_transaction ON changes (transaction_id)";
        run(manager, [index]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, ["DROP TABLE changes"]).await
    }
}
