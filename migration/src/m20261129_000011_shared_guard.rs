//! The state of a replay guard that replicas share: one row, inserted here. And the nonces of writes, which each
//! write inserts in its transaction.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, run};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let Dialect {
            integer,
            bytes,
            strict,
            ..
        } = Dialect::of(manager);
        run(
            manager,
            [
                format!(
                    "CREATE TABLE shared_guard (
                         id {integer} PRIMARY KEY CHECK (id = 1),
                         epoch text NOT NULL,
                         server text NOT NULL,
                         hash_key text NOT NULL,
                         marked text NOT NULL,
                         closed text NOT NULL
                     ){strict}"
                ),
                "INSERT INTO shared_guard VALUES (1, '', '', '', '[]', '[]')".to_owned(),
                format!(
                    "CREATE TABLE write_nonces (
                         fingerprint {bytes} PRIMARY KEY,
                         claim {bytes} NOT NULL,
                         over_at {integer} NOT NULL
                     ){strict}"
                ),
                "CREATE INDEX write_nonces_by_end ON write_nonces (over_at)".to_owned(),
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(
            manager,
            ["DROP TABLE write_nonces", "DROP TABLE shared_guard"],
        )
        .await
    }
}
