//! Revisions and approvals of domains of one's own beside those of the built-in one, whose name is empty; and what
//! each replica has in force of them.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(
            manager,
            [
                "ALTER TABLE policy_revisions ADD COLUMN domain TEXT NOT NULL DEFAULT ''",
                "ALTER TABLE policy_approvals ADD COLUMN domain TEXT NOT NULL DEFAULT ''",
                "CREATE INDEX policy_revisions_by_domain ON policy_revisions (domain, sequence)",
                // A JSON object from names to digests; null of an older version.
                "ALTER TABLE replicas ADD COLUMN domain_digests TEXT",
            ],
        )
        .await
    }

    /// Without the column, the rows of domains would be taken for the built-in one's.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(
            manager,
            [
                "ALTER TABLE replicas DROP COLUMN domain_digests",
                "DROP INDEX policy_revisions_by_domain",
                "DELETE FROM policy_approvals WHERE domain <> ''",
                "DELETE FROM policy_revisions WHERE domain <> ''",
                "ALTER TABLE policy_approvals DROP COLUMN domain",
                "ALTER TABLE policy_revisions DROP COLUMN domain",
            ],
        )
        .await
    }
}
