//! What a browser called itself when a session began, for the list of one's sessions; and when
//! invitations were sent, so that their number a day outlives a restart.

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
                "ALTER TABLE sessions ADD COLUMN user_agent TEXT".to_owned(),
                format!(
                    "CREATE TABLE sent_invitations (
                        id {uuid} PRIMARY KEY,
                        organization_id {uuid} NOT NULL REFERENCES organizations (id),
                        sent_at {timestamp} NOT NULL
                    ){strict}"
                ),
                "CREATE INDEX sent_invitations_by_time ON sent_invitations (organization_id, sent_at)"
                    .to_owned(),
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(
            manager,
            [
                "DROP TABLE sent_invitations",
                "ALTER TABLE sessions DROP COLUMN user_agent",
            ],
        )
        .await
    }
}
