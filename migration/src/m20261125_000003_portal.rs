//! Tables for sign-in: sessions with their refresh tokens, links in emails, invitations, and emails to send.
//!
//! Only the SHA-256 of a token is stored. A session has its current refresh token; a trigger keeps the used ones,
//! so that reuse is detected and no statement can replace a token without a trace.

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
                sessions(dialect),
                spent_refresh_tokens(dialect),
                one_time_tokens(dialect),
                invitations(dialect),
                outgoing_mails(dialect),
            ],
        )
        .await?;
        run(
            manager,
            [
                "CREATE INDEX sessions_by_user ON sessions (user_id)",
                "CREATE INDEX sessions_by_organization ON sessions (organization_id)",
                "CREATE INDEX spent_refresh_tokens_by_session ON spent_refresh_tokens (session_id)",
                "CREATE INDEX one_time_tokens_by_user ON one_time_tokens (user_id)",
                "CREATE INDEX outgoing_mails_by_time ON outgoing_mails (next_attempt_at)",
            ],
        )
        .await?;
        run(
            manager,
            dialect.on_change("sessions", "refresh_hash", "remember_spent", REMEMBER),
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(
            manager,
            [
                "DROP TABLE outgoing_mails",
                "DROP TABLE invitations",
                "DROP TABLE one_time_tokens",
                "DROP TABLE spent_refresh_tokens",
                "DROP TABLE sessions",
            ],
        )
        .await?;
        run(manager, Dialect::of(manager).after_drop("remember_spent")).await
    }
}

const REMEMBER: &str = "INSERT INTO spent_refresh_tokens
    (hash, session_id, generation, key_id, spent_at)
    VALUES (OLD.refresh_hash, OLD.id, OLD.generation, NEW.rotation_key_id, NEW.rotated_at)";

fn sessions(dialect: &Dialect) -> String {
    let Dialect {
        uuid,
        timestamp,
        integer,
        bytes,
        strict,
        ..
    } = dialect;
    format!(
        "CREATE TABLE sessions (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            user_id {uuid} NOT NULL,
            refresh_hash {bytes} NOT NULL UNIQUE CHECK (length(refresh_hash) = 32),
            generation {integer} NOT NULL CHECK (generation >= 1),
            refresh_expires_at {timestamp} NOT NULL,
            refresh_revoked_at {timestamp},
            rotated_at {timestamp},
            rotation_key_id TEXT,
            ended_at {timestamp},
            created_at {timestamp} NOT NULL,
            FOREIGN KEY (user_id, organization_id) REFERENCES users (id, organization_id)
                ON DELETE CASCADE
        ){strict}"
    )
}

/// Written at each refresh, so it has only one tree and one index.
fn spent_refresh_tokens(dialect: &Dialect) -> String {
    let Dialect {
        uuid,
        timestamp,
        integer,
        bytes,
        strict,
        by_primary_key,
        ..
    } = dialect;
    format!(
        "CREATE TABLE spent_refresh_tokens (
            hash {bytes} PRIMARY KEY CHECK (length(hash) = 32),
            session_id {uuid} NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
            generation {integer} NOT NULL CHECK (generation >= 1),
            key_id TEXT NOT NULL,
            spent_at {timestamp} NOT NULL
        ){strict}{by_primary_key}"
    )
}

fn one_time_tokens(dialect: &Dialect) -> String {
    let Dialect {
        uuid,
        timestamp,
        bytes,
        strict,
        ..
    } = dialect;
    format!(
        "CREATE TABLE one_time_tokens (
            hash {bytes} PRIMARY KEY CHECK (length(hash) = 32),
            organization_id {uuid} NOT NULL,
            user_id {uuid} NOT NULL,
            purpose TEXT NOT NULL CHECK (purpose IN ('verify-email', 'reset-password')),
            expires_at {timestamp} NOT NULL,
            used_at {timestamp},
            created_at {timestamp} NOT NULL,
            FOREIGN KEY (user_id, organization_id) REFERENCES users (id, organization_id)
                ON DELETE CASCADE
        ){strict}"
    )
}

fn invitations(dialect: &Dialect) -> String {
    let Dialect {
        uuid,
        timestamp,
        bytes,
        strict,
        ..
    } = dialect;
    // One for each address and organization: a new one replaces the old.
    format!(
        "CREATE TABLE invitations (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL REFERENCES organizations (id),
            email TEXT NOT NULL CHECK (length(email) > 0 AND {email_is_clean}),
            role TEXT NOT NULL,
            invited_by {uuid},
            hash {bytes} NOT NULL UNIQUE CHECK (length(hash) = 32),
            expires_at {timestamp} NOT NULL,
            accepted_at {timestamp},
            revoked_at {timestamp},
            created_at {timestamp} NOT NULL,
            UNIQUE (organization_id, email)
        ){strict}",
        email_is_clean = dialect.no_nul("email"),
    )
}

fn outgoing_mails(dialect: &Dialect) -> String {
    let Dialect {
        uuid,
        timestamp,
        integer,
        bytes,
        strict,
        ..
    } = dialect;
    // The content is encrypted: it contains the link, whose token is stored nowhere else.
    format!(
        "CREATE TABLE outgoing_mails (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL REFERENCES organizations (id),
            sealed_content {bytes} NOT NULL CHECK (length(sealed_content) > 0),
            sealing_key_id TEXT NOT NULL,
            attempts {integer} NOT NULL CHECK (attempts >= 0),
            next_attempt_at {timestamp} NOT NULL,
            expires_at {timestamp} NOT NULL,
            created_at {timestamp} NOT NULL
        ){strict}"
    )
}
