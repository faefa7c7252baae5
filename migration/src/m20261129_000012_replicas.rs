//! The processes that serve this database, with their heartbeats.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, run};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let Dialect {
            sorted_text,
            timestamp,
            strict,
            ..
        } = Dialect::of(manager);
        run(
            manager,
            [format!(
                "CREATE TABLE replicas (
                     id {sorted_text} PRIMARY KEY,
                     host text NOT NULL,
                     version text NOT NULL,
                     started_at {timestamp} NOT NULL,
                     policy_digest text NOT NULL,
                     readiness text NOT NULL,
                     seen_at {timestamp} NOT NULL
                 ){strict}"
            )],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, ["DROP TABLE replicas"]).await
    }
}
