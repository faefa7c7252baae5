//! Indexes that keep the portal's queries fast: open sessions of a user, users with unverified addresses, and
//! emails whose link is void.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, run};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let bytes = Dialect::of(manager).bytes;
        run(
            manager,
            [format!(
                "ALTER TABLE outgoing_mails ADD COLUMN link_hash {bytes}"
            )],
        )
        .await?;
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
                "ALTER TABLE outgoing_mails DROP COLUMN link_hash",
                "DROP INDEX users_unverified",
                "DROP INDEX sessions_open_by_user",
            ],
        )
        .await
    }
}
