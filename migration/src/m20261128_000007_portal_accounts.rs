//! What a browser called itself when a session began, for the list of one's sessions.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, ["ALTER TABLE sessions ADD COLUMN user_agent TEXT"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, ["ALTER TABLE sessions DROP COLUMN user_agent"]).await
    }
}
