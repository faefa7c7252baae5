//! When a rotated key would have expired without the rotation: its successors live as long as it was meant to.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, run};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let timestamp = Dialect::of(manager).timestamp;
        let add = format!("ALTER TABLE access_keys ADD COLUMN expiry_before_rotation {timestamp}");
        run(manager, [add]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(
            manager,
            ["ALTER TABLE access_keys DROP COLUMN expiry_before_rotation"],
        )
        .await
    }
}
