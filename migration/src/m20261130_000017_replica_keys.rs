//! Which `keys.replay` each replica has.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Null of an older version, and of a process that remembers nonces by itself.
        run(manager, ["ALTER TABLE replicas ADD COLUMN replay_key text"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, ["ALTER TABLE replicas DROP COLUMN replay_key"]).await
    }
}
