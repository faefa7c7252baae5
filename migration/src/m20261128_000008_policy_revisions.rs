//! Revisions of the policies with their texts, approvals, and the audit trail of the installation.
//!
//! Revisions and approvals name the event that recorded them. A row without its event, or with other content than
//! the event, is ignored.

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
                installation_events(dialect),
                texts(dialect),
                revisions(dialect),
                approvals(dialect),
                "CREATE INDEX policy_revisions_by_policy_digest ON policy_revisions (policy_digest)"
                    .to_owned(),
                "CREATE INDEX policy_revisions_by_whole_digest ON policy_revisions (whole_digest)"
                    .to_owned(),
                "CREATE INDEX policy_approvals_by_digest ON policy_approvals (whole_digest)"
                    .to_owned(),
                "CREATE INDEX installation_events_by_resource ON installation_events (resource)"
                    .to_owned(),
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(
            manager,
            [
                "DROP TABLE policy_approvals",
                "DROP TABLE policy_revisions",
                "DROP TABLE policy_texts",
                "DROP TABLE installation_events",
            ],
        )
        .await
    }
}

/// Like `audit_events`, without an organization.
fn installation_events(dialect: &Dialect) -> String {
    let Dialect {
        timestamp,
        integer,
        bytes,
        strict,
        ..
    } = dialect;
    format!(
        "CREATE TABLE installation_events (
            sequence {integer} PRIMARY KEY CHECK (sequence >= 1),
            occurred_at {timestamp} NOT NULL,
            actor TEXT NOT NULL,
            action TEXT NOT NULL,
            resource TEXT NOT NULL,
            request_id TEXT,
            policy_digest TEXT,
            changes TEXT NOT NULL,
            key_id TEXT NOT NULL,
            mac {bytes} NOT NULL CHECK (length(mac) = 32)
        ){strict}"
    )
}

/// Keyed by the SHA-256 of the content in hex, so that unchanged files are stored once.
fn texts(dialect: &Dialect) -> String {
    let Dialect { bytes, strict, .. } = dialect;
    format!(
        "CREATE TABLE policy_texts (
            digest TEXT PRIMARY KEY CHECK (length(digest) = 64),
            content {bytes} NOT NULL
        ){strict}"
    )
}

/// `files` is a JSON object from file names to digests of their texts.
fn revisions(dialect: &Dialect) -> String {
    let Dialect {
        timestamp,
        integer,
        strict,
        ..
    } = dialect;
    format!(
        "CREATE TABLE policy_revisions (
            sequence {integer} PRIMARY KEY CHECK (sequence >= 1),
            whole_digest TEXT NOT NULL CHECK (length(whole_digest) = 64),
            policy_digest TEXT NOT NULL CHECK (length(policy_digest) = 64),
            manifest_version TEXT,
            files TEXT NOT NULL,
            taken_as TEXT NOT NULL CHECK (taken_as IN ('start', 'edit', 'stop')),
            in_force_from {timestamp} NOT NULL,
            event {integer} NOT NULL REFERENCES installation_events (sequence)
        ){strict}"
    )
}

/// `base` is the revision that was in force; 0 if it was unknown.
fn approvals(dialect: &Dialect) -> String {
    let Dialect {
        uuid,
        timestamp,
        integer,
        strict,
        ..
    } = dialect;
    format!(
        "CREATE TABLE policy_approvals (
            id {uuid} PRIMARY KEY,
            whole_digest TEXT NOT NULL CHECK (length(whole_digest) = 64),
            base {integer} NOT NULL CHECK (base >= 0),
            approved_by TEXT NOT NULL,
            reason TEXT NOT NULL,
            approved_at {timestamp} NOT NULL,
            used_by {integer} REFERENCES policy_revisions (sequence),
            withdrawn_at {timestamp},
            event {integer} NOT NULL REFERENCES installation_events (sequence)
        ){strict}"
    )
}
