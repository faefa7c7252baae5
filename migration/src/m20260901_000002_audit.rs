//! The audit log: one chain of events for each organization.

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
            integer,
            bytes,
            strict,
            ..
        } = Dialect::of(manager);
        // `changes` is text, not JSON: the chain covers its exact bytes, which `jsonb` does not keep. Two writers
        // cannot fork a chain, because sequence numbers are unique.
        run(
            manager,
            [format!(
                "CREATE TABLE audit_events (
                    organization_id {uuid} NOT NULL REFERENCES organizations (id),
                    sequence {integer} NOT NULL CHECK (sequence >= 1),
                    occurred_at {timestamp} NOT NULL,
                    actor TEXT NOT NULL,
                    action TEXT NOT NULL,
                    resource TEXT NOT NULL,
                    request_id TEXT,
                    policy_digest TEXT,
                    changes TEXT NOT NULL,
                    key_id TEXT NOT NULL,
                    mac {bytes} NOT NULL CHECK (length(mac) = 32),
                    PRIMARY KEY (organization_id, sequence)
                ){strict}"
            )],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, ["DROP TABLE audit_events"]).await
    }
}
