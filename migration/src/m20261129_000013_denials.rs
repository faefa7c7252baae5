//! Denied decisions of all replicas, so that each can look up those of the others.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, run};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let Dialect {
            uuid,
            timestamp,
            strict,
            ..
        } = Dialect::of(manager);
        run(
            manager,
            [
                // Ids begin with the time. The text is kept verbatim.
                format!(
                    "CREATE TABLE denials (
                         id {uuid} PRIMARY KEY,
                         organization_id {uuid} NOT NULL,
                         decided_at {timestamp} NOT NULL,
                         record text NOT NULL
                     ){strict}"
                ),
                "CREATE INDEX denials_of_organization ON denials (organization_id, id)".to_owned(),
                "CREATE INDEX denials_by_time ON denials (decided_at)".to_owned(),
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, ["DROP TABLE denials"]).await
    }
}
