//! What replicas have read from their policy folders, beyond the policies in force.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Null of an older version.
        run(
            manager,
            ["ALTER TABLE replicas ADD COLUMN folder_digest text"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, ["ALTER TABLE replicas DROP COLUMN folder_digest"]).await
    }
}
