//! What keeps the portal's tables small: a person's open sessions are found without the ended ones,
//! and those who have not verified their address without all others.

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
                "CREATE INDEX users_unverified ON users (id) WHERE email_verified_at IS NULL",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(
            manager,
            [
                "DROP INDEX users_unverified",
                "DROP INDEX sessions_open_by_user",
            ],
        )
        .await
    }
}
