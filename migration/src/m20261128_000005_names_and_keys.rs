//! One name space for the codes and slugs of organizations, with the slugs that rest; and by what the
//! service's keys are known to be this database's.

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
            bytes,
            strict,
            ..
        } = Dialect::of(manager);
        run(
            manager,
            [
                // A name comes before its organization: a code is drawn until it is free.
                format!(
                    "CREATE TABLE organization_names (
                        name TEXT PRIMARY KEY CHECK (length(name) BETWEEN 3 AND 63),
                        organization_id {uuid} NOT NULL REFERENCES organizations (id)
                            DEFERRABLE INITIALLY DEFERRED,
                        rests_until {timestamp}
                    ){strict}"
                ),
                format!(
                    "CREATE TABLE key_checks (
                        purpose TEXT NOT NULL,
                        key_id TEXT NOT NULL,
                        value {bytes} NOT NULL CHECK (length(value) = 32),
                        PRIMARY KEY (purpose, key_id)
                    ){strict}"
                ),
            ],
        )
        .await?;
        run(
            manager,
            [
                "CREATE INDEX organization_names_resting \
                 ON organization_names (organization_id, rests_until) WHERE rests_until IS NOT NULL",
                "INSERT INTO organization_names (name, organization_id) \
                 SELECT code, id FROM organizations",
                // A slug that is another one's code from before stays where it is, under no name.
                "INSERT INTO organization_names (name, organization_id) \
                 SELECT slug, id FROM organizations WHERE true ON CONFLICT (name) DO NOTHING",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(
            manager,
            ["DROP TABLE key_checks", "DROP TABLE organization_names"],
        )
        .await
    }
}
