//! Which migrations let earlier programs run: what those read of a schema that they do not know (ADR 0035).

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, run};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let Dialect {
            sorted_text,
            strict,
            ..
        } = Dialect::of(manager);
        run(
            manager,
            [format!(
                "CREATE TABLE compatible_migrations (
                     name {sorted_text} PRIMARY KEY,
                     needs text NOT NULL
                 ){strict}"
            )],
        )
        .await?;
        lets_run(manager, self.name(), "m20261130_000017_replica_keys").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, ["DROP TABLE compatible_migrations"]).await
    }
}

/// Declares that programs which have the migration `needs` work on a schema that has the migration `name` as well:
/// they read and write all that they know, and what they write is good for later programs. A migration that does not
/// say so is refused by all programs that do not have it. The row of a reverted migration means nothing.
pub(crate) async fn lets_run(
    manager: &SchemaManager<'_>,
    name: &str,
    needs: &str,
) -> Result<(), DbErr> {
    let declared = format!(
        "INSERT INTO compatible_migrations (name, needs) VALUES ('{name}', '{needs}')
         ON CONFLICT (name) DO UPDATE SET needs = excluded.needs"
    );
    run(manager, [declared]).await
}
