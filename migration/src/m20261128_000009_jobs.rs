//! A queue of jobs with encrypted payloads that are claimed for a while and retried. Emails become the first kind
//! of job.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, run};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let timestamp = Dialect::of(manager).timestamp;
        run(
            manager,
            [
                "DROP INDEX outgoing_mails_by_time",
                "ALTER TABLE outgoing_mails RENAME TO jobs",
                "ALTER TABLE jobs RENAME COLUMN sealed_content TO sealed_payload",
                "ALTER TABLE jobs RENAME COLUMN next_attempt_at TO not_before",
                "ALTER TABLE jobs ADD COLUMN kind TEXT NOT NULL DEFAULT 'mail'",
                &format!("ALTER TABLE jobs ADD COLUMN claimed_until {timestamp}"),
                "CREATE INDEX jobs_by_time ON jobs (kind, not_before)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(
            manager,
            [
                "DELETE FROM jobs WHERE kind <> 'mail'",
                "DROP INDEX jobs_by_time",
                "ALTER TABLE jobs DROP COLUMN claimed_until",
                "ALTER TABLE jobs DROP COLUMN kind",
                "ALTER TABLE jobs RENAME COLUMN not_before TO next_attempt_at",
                "ALTER TABLE jobs RENAME COLUMN sealed_payload TO sealed_content",
                "ALTER TABLE jobs RENAME TO outgoing_mails",
                "CREATE INDEX outgoing_mails_by_time ON outgoing_mails (next_attempt_at)",
            ],
        )
        .await
    }
}
