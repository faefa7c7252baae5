//! All sets of policies that were in force, with their texts. A row counts only with its authentic audit event, so
//! writing to the database is not enough to forge one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::audit::{Action, Changes, Entry};
use super::entity::{organization, policy_revision, policy_text, stored_time};
use super::policy_approvals;
use super::{Error, Store};
use charter_domain::audit::AuditContext;
use charter_domain::timestamp::Timestamp;

/// Audit action of a revision.
const ACTION: &str = "PoliciesInForce";
/// Rows in a statement: SQLite allows 32,766 values.
const BATCH: usize = 1_000;

/// The texts of a folder by file name.
pub type PolicyFiles = BTreeMap<String, Arc<str>>;

/// How a revision came into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenAs {
    /// The service started with it.
    Start,
    /// It passed all gates.
    Edit,
    /// It only adds forbids, so it was taken before its gates had run.
    Stop,
}

impl TakenAs {
    /// As stored and listed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Edit => "edit",
            Self::Stop => "stop",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Start, Self::Edit, Self::Stop]
            .into_iter()
            .find(|it| it.as_str() == text)
    }
}

/// A revision to record.
#[derive(Debug, Clone)]
pub struct NewPolicyRevision {
    /// Digest of the whole folder, invariants and examples included.
    pub whole_digest: String,
    /// Digest of schema and policies, as recorded in decisions.
    pub policy_digest: String,
    pub manifest_version: Option<u64>,
    pub files: PolicyFiles,
    pub taken_as: TakenAs,
    pub in_force_from: Timestamp,
}

/// Policies that are or were in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRevision {
    /// From 1.
    pub sequence: i64,
    /// Digest of the whole folder, invariants and examples included.
    pub whole_digest: String,
    /// Digest of schema and policies, as recorded in decisions.
    pub policy_digest: String,
    pub manifest_version: Option<u64>,
    pub taken_as: TakenAs,
    pub in_force_from: Timestamp,
    /// File digests by name.
    texts: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastRevision {
    /// There never was one.
    None,
    /// There was one, but it is not readable or authentic; the number that its successor follows.
    Unknown(i64),
    /// With its texts.
    Known(PolicyRevision, PolicyFiles),
}

impl LastRevision {
    /// Its number; 0 if there is none.
    #[must_use]
    pub const fn sequence(&self) -> i64 {
        match self {
            Self::None => 0,
            Self::Unknown(sequence) => *sequence,
            Self::Known(revision, _) => revision.sequence,
        }
    }
}

impl Store {
    /// The last revision. Damaged ones are [`LastRevision::Unknown`].
    ///
    /// # Errors
    ///
    /// What is damaged is [`LastRevision::Unknown`].
    pub async fn last_policy_revision(&self) -> Result<LastRevision, Error> {
        use policy_revision::Column;
        let last = policy_revision::Entity::find()
            .order_by_desc(Column::Sequence)
            .one(&self.reader)
            .await?;
        let Some(row) = last else {
            // Without organizations no decision was ever made.
            let organizations = organization::Entity::find().count(&self.reader).await?;
            let events = self.installation_events_after(0, 1).await?;
            let is_new = organizations == 0 && events.is_empty();
            return Ok(if is_new {
                LastRevision::None
            } else {
                LastRevision::Unknown(0)
            });
        };
        let sequence = row.sequence;
        let known = match self.authentic(&self.reader, row).await? {
            Some(revision) => self
                .policy_files(&revision)
                .await?
                .map(|files| (revision, files)),
            None => None,
        };
        Ok(match known {
            Some((revision, files)) => LastRevision::Known(revision, files),
            None => LastRevision::Unknown(sequence),
        })
    }

    /// Records that policies are in force and that their approvals are used. Recording the last revision again
    /// adds none. Returns the number.
    pub async fn accept_policies(
        &self,
        new: &NewPolicyRevision,
        by: &AuditContext,
    ) -> Result<i64, Error> {
        let mut write = self.begin(by).await?;
        write.lock_installation().await?;
        let last = policy_revision::Entity::find()
            .order_by_desc(policy_revision::Column::Sequence)
            .one(&write.transaction)
            .await?;
        let version = new.manifest_version.map(|version| version.to_string());
        let base = last.as_ref().map_or(0, |last| last.sequence);
        if let Some(last) = last
            && last.whole_digest == new.whole_digest
            && last.manifest_version == version
            && self.authentic(&write.transaction, last).await?.is_some()
        {
            write.confirm().await?;
            return Ok(base);
        }
        let texts = insert_texts(&write.transaction, &new.files).await?;
        let sequence = base.saturating_add(1);
        let row = policy_revision::Model {
            sequence,
            whole_digest: new.whole_digest.clone(),
            policy_digest: new.policy_digest.clone(),
            manifest_version: version,
            files: json!(texts).to_string(),
            taken_as: new.taken_as.as_str().to_owned(),
            in_force_from: stored_time(new.in_force_from),
            event: 0,
        };
        let entry = Entry {
            action: Action::System(ACTION),
            resource: resource(sequence),
            changes: Changes::created(facts(&row)),
        };
        let event = write.record_for_installation(entry).await?;
        let row = policy_revision::Model { event, ..row };
        policy_revision::Entity::insert(row.into_active_model())
            .exec_without_returning(&write.transaction)
            .await?;
        policy_approvals::mark_used(&write.transaction, &new.whole_digest, base, sequence).await?;
        write.commit().await?;
        Ok(sequence)
    }

    /// The newest revision with this policy digest, and its texts.
    pub async fn policies_of_digest(
        &self,
        policy_digest: &str,
    ) -> Result<Option<(PolicyRevision, PolicyFiles)>, Error> {
        use policy_revision::Column;
        let row = policy_revision::Entity::find()
            .filter(Column::PolicyDigest.eq(policy_digest))
            .order_by_desc(Column::Sequence)
            .one(&self.reader)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let Some(revision) = self.authentic(&self.reader, row).await? else {
            return Ok(None);
        };
        let files = self.policy_files(&revision).await?;
        Ok(files.map(|files| (revision, files)))
    }

    /// The authentic revisions, newest first.
    pub async fn policy_revisions(&self, limit: u64) -> Result<Vec<PolicyRevision>, Error> {
        let rows = policy_revision::Entity::find()
            .order_by_desc(policy_revision::Column::Sequence)
            .limit(limit)
            .all(&self.reader)
            .await?;
        let mut revisions = Vec::with_capacity(rows.len());
        for row in rows {
            revisions.extend(self.authentic(&self.reader, row).await?);
        }
        Ok(revisions)
    }

    /// A revision's texts; `None` if some are missing or damaged.
    pub async fn policy_files(
        &self,
        revision: &PolicyRevision,
    ) -> Result<Option<PolicyFiles>, Error> {
        let wanted: Vec<&String> = revision
            .texts
            .values()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let mut texts: BTreeMap<String, Arc<str>> = BTreeMap::new();
        for batch in wanted.chunks(BATCH) {
            let rows = policy_text::Entity::find()
                .filter(policy_text::Column::Digest.is_in(batch.iter().copied()))
                .all(&self.reader)
                .await?;
            for row in rows {
                if digest(&row.content) == row.digest
                    && let Ok(text) = String::from_utf8(row.content)
                {
                    texts.insert(row.digest, text.into());
                }
            }
        }
        Ok(revision
            .texts
            .iter()
            .map(|(name, digest)| Some((name.clone(), Arc::clone(texts.get(digest)?))))
            .collect())
    }

    /// The row, if it matches its event.
    pub(super) async fn authentic(
        &self,
        connection: &impl ConnectionTrait,
        row: policy_revision::Model,
    ) -> Result<Option<PolicyRevision>, Error> {
        let event = self.authentic_event(connection, row.event).await?;
        let said = Changes::created(facts(&row)).to_text();
        let is_authentic = event.is_some_and(|event| {
            event.action == format!("system.{ACTION}")
                && event.resource == resource(row.sequence)
                && event.changes == said
        });
        Ok(is_authentic.then(|| of_row(row)).flatten())
    }
}

/// The content of a revision's event, with texts as digests.
fn facts(row: &policy_revision::Model) -> Value {
    json!({
        "whole_digest": row.whole_digest,
        "policy_digest": row.policy_digest,
        "manifest_version": row.manifest_version,
        "files": digest(row.files.as_bytes()),
        "taken_as": row.taken_as,
        "in_force_from": row.in_force_from.timestamp_micros(),
    })
}

fn resource(sequence: i64) -> String {
    format!("policy-revision-{sequence}")
}

fn of_row(row: policy_revision::Model) -> Option<PolicyRevision> {
    Some(PolicyRevision {
        sequence: row.sequence,
        taken_as: TakenAs::parse(&row.taken_as)?,
        manifest_version: match row.manifest_version {
            Some(text) => Some(text.parse().ok()?),
            None => None,
        },
        texts: serde_json::from_str(&row.files).ok()?,
        whole_digest: row.whole_digest,
        policy_digest: row.policy_digest,
        in_force_from: row.in_force_from,
    })
}

/// Inserts missing texts; returns the digest of each file.
async fn insert_texts<'f>(
    connection: &impl ConnectionTrait,
    files: &'f PolicyFiles,
) -> Result<BTreeMap<&'f String, String>, Error> {
    let digests: BTreeMap<&String, String> = files
        .iter()
        .map(|(name, text)| (name, digest(text.as_bytes())))
        .collect();
    let all: Vec<&String> = digests
        .values()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for batch in all.chunks(BATCH) {
        let rows: Vec<String> = policy_text::Entity::find()
            .select_only()
            .column(policy_text::Column::Digest)
            .filter(policy_text::Column::Digest.is_in(batch.iter().copied()))
            .into_tuple()
            .all(connection)
            .await?;
        known.extend(rows);
    }
    for (name, digest) in &digests {
        let Some(text) = files.get(*name).filter(|_| !known.contains(digest)) else {
            continue;
        };
        let row = policy_text::ActiveModel {
            digest: Set(digest.clone()),
            content: Set(text.as_bytes().to_vec()),
        };
        let on_conflict = OnConflict::column(policy_text::Column::Digest)
            .do_nothing()
            .to_owned();
        policy_text::Entity::insert(row)
            .on_conflict(on_conflict)
            .exec_without_returning(connection)
            .await?;
        known.insert(digest.clone());
    }
    Ok(digests)
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
