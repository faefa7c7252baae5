//! Indexes for what was read as a whole: what has expired, what waits for an organization, what a key has sealed, and
//! an organization's records in the order of their ids.

use sea_orm_migration::prelude::*;

use crate::dialect::run;
use crate::m20261130_000018_compatible_migrations::lets_run;

/// What each is on, after its name.
const INDEXES: [(&str, &str); 14] = [
    ("sessions_by_expiry", "sessions (refresh_expires_at)"),
    (
        "sessions_by_end",
        "sessions (ended_at) WHERE ended_at IS NOT NULL",
    ),
    (
        "spent_refresh_tokens_by_time",
        "spent_refresh_tokens (spent_at)",
    ),
    ("one_time_tokens_by_expiry", "one_time_tokens (expires_at)"),
    ("invitations_by_expiry", "invitations (expires_at)"),
    (
        "organization_names_by_organization",
        "organization_names (organization_id, rests_until)",
    ),
    ("jobs_by_organization", "jobs (organization_id)"),
    ("jobs_by_sealing_key", "jobs (sealing_key_id)"),
    (
        "access_keys_by_sealing_key",
        "access_keys (sealing_key_id, id)",
    ),
    (
        "access_keys_by_creation",
        "access_keys (organization_id, created_at, id)",
    ),
    ("access_keys_by_id", "access_keys (organization_id, id)"),
    (
        "service_accounts_by_id",
        "service_accounts (organization_id, id)",
    ),
    ("accounts_by_id", "accounts (organization_id, id)"),
    ("users_by_id", "users (organization_id, id)"),
];

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let indexes = INDEXES.map(|(name, on)| format!("CREATE INDEX {name} ON {on}"));
        run(manager, indexes).await?;
        // New ones begin as these do. Those of names are for all: SQLite looks for the names of each new organization.
        run(
            manager,
            [
                "DROP INDEX access_keys_by_organization",
                "DROP INDEX organization_names_resting",
            ],
        )
        .await?;
        lets_run(
            manager,
            self.name(),
            "m20261130_000018_compatible_migrations",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(
            manager,
            [
                "CREATE INDEX access_keys_by_organization ON access_keys (organization_id)",
                "CREATE INDEX organization_names_resting \
                 ON organization_names (organization_id, rests_until) WHERE rests_until IS NOT NULL",
            ],
        )
        .await?;
        run(
            manager,
            INDEXES.map(|(name, _)| format!("DROP INDEX {name}")),
        )
        .await
    }
}
