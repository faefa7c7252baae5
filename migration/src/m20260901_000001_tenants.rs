//! Organizations and their accounts, service accounts, access keys and users.
//!
//! Foreign keys include the organization, so that no row can reference another tenant's.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, run};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager);
        run(
            manager,
            [
                organizations(dialect),
                accounts(dialect),
                service_accounts(dialect),
                access_keys(dialect),
                users(dialect),
            ],
        )
        .await?;
        run(
            manager,
            [
                "CREATE UNIQUE INDEX accounts_one_default ON accounts (organization_id) WHERE is_default",
                "CREATE INDEX accounts_by_organization ON accounts (organization_id, created_at, id)",
                "CREATE INDEX service_accounts_by_organization \
                 ON service_accounts (organization_id, created_at, id)",
                "CREATE INDEX service_accounts_by_account ON service_accounts (account_id)",
                "CREATE INDEX access_keys_by_service_account \
                 ON access_keys (service_account_id, created_at, id)",
                "CREATE INDEX access_keys_by_organization ON access_keys (organization_id)",
                "CREATE INDEX users_by_organization ON users (organization_id, created_at, id)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(
            manager,
            [
                "DROP TABLE users",
                "DROP TABLE access_keys",
                "DROP TABLE service_accounts",
                "DROP TABLE accounts",
                "DROP TABLE organizations",
            ],
        )
        .await
    }
}

fn organizations(dialect: &Dialect) -> String {
    let Dialect {
        uuid,
        timestamp,
        json,
        boolean,
        integer,
        sorted_text,
        strict,
        ..
    } = dialect;
    format!(
        "CREATE TABLE organizations (
            id {uuid} PRIMARY KEY,
            code TEXT NOT NULL UNIQUE CHECK (length(code) = 6),
            slug TEXT NOT NULL UNIQUE CHECK (length(slug) BETWEEN 3 AND 63),
            name {sorted_text} NOT NULL CHECK (length(name) BETWEEN 1 AND 200 AND {name_is_clean}),
            contact_email TEXT,
            default_region TEXT,
            allowed_regions {json} NOT NULL CHECK {regions_are_an_array},
            plan_tier TEXT NOT NULL CHECK (plan_tier IN ('free', 'starter', 'growth', 'pro')),
            monthly_doc_limit {integer} NOT NULL CHECK (monthly_doc_limit >= 0),
            is_active {boolean} NOT NULL CHECK {is_active_is_boolean},
            deactivated_at {timestamp},
            metadata {json} NOT NULL CHECK {metadata_is_an_object},
            version {integer} NOT NULL CHECK (version >= 1),
            created_at {timestamp} NOT NULL,
            updated_at {timestamp} NOT NULL,
            CHECK (default_region IS NULL OR {default_is_allowed}),
            CHECK (is_active OR deactivated_at IS NOT NULL)
        ){strict}",
        name_is_clean = dialect.no_nul("name"),
        regions_are_an_array = dialect.json_is("allowed_regions", "array"),
        metadata_is_an_object = dialect.json_is("metadata", "object"),
        is_active_is_boolean = dialect.is_boolean("is_active"),
        default_is_allowed = dialect.json_has("allowed_regions", "default_region"),
    )
}

fn accounts(dialect: &Dialect) -> String {
    let Dialect {
        uuid,
        timestamp,
        json,
        boolean,
        integer,
        sorted_text,
        strict,
        ..
    } = dialect;
    format!(
        "CREATE TABLE accounts (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL REFERENCES organizations (id),
            code TEXT NOT NULL UNIQUE CHECK (length(code) = 6),
            name {sorted_text} NOT NULL CHECK (length(name) BETWEEN 1 AND 200 AND {name_is_clean}),
            is_default {boolean} NOT NULL CHECK {is_default_is_boolean},
            is_active {boolean} NOT NULL CHECK {is_active_is_boolean},
            metadata {json} NOT NULL CHECK {metadata_is_an_object},
            version {integer} NOT NULL CHECK (version >= 1),
            created_at {timestamp} NOT NULL,
            updated_at {timestamp} NOT NULL,
            UNIQUE (id, organization_id),
            CHECK (is_active OR NOT is_default)
        ){strict}",
        name_is_clean = dialect.no_nul("name"),
        is_default_is_boolean = dialect.is_boolean("is_default"),
        is_active_is_boolean = dialect.is_boolean("is_active"),
        metadata_is_an_object = dialect.json_is("metadata", "object"),
    )
}

fn service_accounts(dialect: &Dialect) -> String {
    let Dialect {
        uuid,
        timestamp,
        json,
        boolean,
        integer,
        sorted_text,
        strict,
        ..
    } = dialect;
    format!(
        "CREATE TABLE service_accounts (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            account_id {uuid} NOT NULL,
            name {sorted_text} NOT NULL CHECK (length(name) BETWEEN 1 AND 200 AND {name_is_clean}),
            description TEXT NOT NULL CHECK (length(description) <= 1000 AND {description_is_clean}),
            is_active {boolean} NOT NULL CHECK {is_active_is_boolean},
            roles {json} NOT NULL CHECK {roles_are_an_array},
            permissions {json} NOT NULL CHECK {permissions_are_an_array},
            metadata {json} NOT NULL CHECK {metadata_is_an_object},
            deleted_at {timestamp},
            last_used_at {timestamp},
            version {integer} NOT NULL CHECK (version >= 1),
            created_at {timestamp} NOT NULL,
            updated_at {timestamp} NOT NULL,
            UNIQUE (id, organization_id),
            FOREIGN KEY (account_id, organization_id) REFERENCES accounts (id, organization_id),
            CHECK (deleted_at IS NULL OR NOT is_active)
        ){strict}",
        name_is_clean = dialect.no_nul("name"),
        description_is_clean = dialect.no_nul("description"),
        is_active_is_boolean = dialect.is_boolean("is_active"),
        roles_are_an_array = dialect.json_is("roles", "array"),
        permissions_are_an_array = dialect.json_is("permissions", "array"),
        metadata_is_an_object = dialect.json_is("metadata", "object"),
    )
}

fn access_keys(dialect: &Dialect) -> String {
    let Dialect {
        uuid,
        timestamp,
        json,
        bytes,
        strict,
        ..
    } = dialect;
    format!(
        "CREATE TABLE access_keys (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            service_account_id {uuid} NOT NULL,
            access_key TEXT NOT NULL UNIQUE CHECK (length(access_key) > 0),
            sealed_secret {bytes} NOT NULL CHECK (length(sealed_secret) > 0),
            sealing_key_id TEXT NOT NULL,
            description TEXT NOT NULL CHECK (length(description) <= 1000 AND {description_is_clean}),
            ip_allowlist {json} NOT NULL CHECK {allowlist_is_an_array},
            expires_at {timestamp},
            rotated_at {timestamp},
            revoked_at {timestamp},
            last_used_at {timestamp},
            created_at {timestamp} NOT NULL,
            FOREIGN KEY (service_account_id, organization_id)
                REFERENCES service_accounts (id, organization_id)
        ){strict}",
        description_is_clean = dialect.no_nul("description"),
        allowlist_is_an_array = dialect.json_is("ip_allowlist", "array"),
    )
}

fn users(dialect: &Dialect) -> String {
    let Dialect {
        uuid,
        timestamp,
        boolean,
        integer,
        strict,
        ..
    } = dialect;
    format!(
        "CREATE TABLE users (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL REFERENCES organizations (id),
            email TEXT NOT NULL UNIQUE CHECK (length(email) > 0 AND {email_is_clean}),
            password_hash TEXT NOT NULL,
            role TEXT NOT NULL,
            is_active {boolean} NOT NULL CHECK {is_active_is_boolean},
            email_verified_at {timestamp},
            last_login_at {timestamp},
            version {integer} NOT NULL CHECK (version >= 1),
            created_at {timestamp} NOT NULL,
            updated_at {timestamp} NOT NULL,
            UNIQUE (id, organization_id)
        ){strict}",
        email_is_clean = dialect.no_nul("email"),
        is_active_is_boolean = dialect.is_boolean("is_active"),
    )
}
