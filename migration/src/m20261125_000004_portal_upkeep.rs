//! What keeps the portal's tables small: a person's open sessions are found without the ended ones.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(
            manager,
            [
                "CREATE INDEX sessions_open_by_user ON sessions (user_id, created_at, id) \
              WHERE ended_at IS NULL",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, ["DROP INDEX sessions_open_by_user"]).await
    }
}
