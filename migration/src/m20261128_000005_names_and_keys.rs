//! One name space for the codes and slugs of organizations, including reserved former slugs; and fingerprints of
//! the keys that belong to this database.

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
                // Reserved before the organization is created: codes are generated until one is free.
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
                // An older slug that equals another organization's code stays, without a name.
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
