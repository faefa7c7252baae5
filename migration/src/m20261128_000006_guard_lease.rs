//! The lease of the process that accepts nonces for this database: one row.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, run};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let Dialect {
            boolean,
            integer,
            strict,
            ..
        } = Dialect::of(manager);
        run(
            manager,
            [format!(
                "CREATE TABLE guard_lease (
                     id {integer} PRIMARY KEY CHECK (id = 1),
                     run text NOT NULL,
                     beat {integer} NOT NULL,
                     released {boolean} NOT NULL,
                     used text NOT NULL,
                     holder text NOT NULL
                 ){strict}"
            )],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, ["DROP TABLE guard_lease"]).await
    }
}
