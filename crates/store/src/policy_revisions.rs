//! All sets of policies that were in force, with their texts: of the built-in domain, and of domains of one's own by
//! name. A row counts only with its authentic audit event, so writing to the database is not enough to forge one.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde_json::{Value, json};

use super::audit::{Action, AuditEntry, Changes};
use super::entity::{installation_event, organization, policy_revision, stored_time};
use super::policy_approvals;
use super::policy_texts::{PolicyFiles, digest, insert_texts, texts_of};
use super::{Error, Store};
use charter_domain::audit::AuditContext;
use charter_domain::timestamp::{self, Timestamp};

/// Audit action of a revision.
const ACTION: &str = "PoliciesInForce";
/// Limit of revisions with one policy digest that are looked at: all but the newest are for the case of damage.
const MAX_ROWS_OF_DIGEST: u64 = 32;

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
    /// From 1, counted over all domains.
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

/// What events of the built-in domain's revisions are about, before their numbers.
const BUILT_IN: &str = "policy-revision-";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastRevision<Texts = PolicyFiles> {
    /// There never was one.
    None,
    /// There was one, but it is not readable or authentic; the number that its successor follows.
    Unknown(i64),
    /// With its texts, unless it was asked for without.
    Known(PolicyRevision, Texts),
}

impl<Texts> LastRevision<Texts> {
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
    /// The last revision of a domain, `None` being the built-in one. Damaged ones are [`LastRevision::Unknown`].
    pub async fn last_policy_revision(&self, domain: Option<&str>) -> Result<LastRevision, Error> {
        Ok(match self.newest_policy_revision(domain).await? {
            LastRevision::None => LastRevision::None,
            LastRevision::Unknown(sequence) => LastRevision::Unknown(sequence),
            LastRevision::Known(revision, ()) => match self.policy_files(&revision).await? {
                Some(files) => LastRevision::Known(revision, files),
                None => LastRevision::Unknown(revision.sequence),
            },
        })
    }

    /// The same without texts, which may be damaged.
    pub async fn newest_policy_revision(
        &self,
        domain: Option<&str>,
    ) -> Result<LastRevision<()>, Error> {
        // Before the row, since another one may come meanwhile.
        let told = self.last_acceptance(domain).await?;
        let Some(row) = policy_revision::of_domain(domain).one(&self.reader).await? else {
            return Ok(if self.is_new(domain, told).await? {
                LastRevision::None
            } else {
                LastRevision::Unknown(0)
            });
        };
        let sequence = row.sequence;
        if told.is_none_or(|told| told > row.event) {
            // A later one was removed.
            return Ok(LastRevision::Unknown(sequence));
        }
        Ok(match self.authentic(&self.reader, row).await? {
            Some(revision) => LastRevision::Known(revision, ()),
            None => LastRevision::Unknown(sequence),
        })
    }

    /// The last event of a revision of the domain.
    async fn last_acceptance(&self, domain: Option<&str>) -> Result<Option<i64>, Error> {
        let about = Expr::col(installation_event::Column::Resource);
        let about = match domain {
            Some(domain) => about.eq(resource(domain, 0)),
            None => about.like(format!("{BUILT_IN}%")),
        };
        let action = format!("system.{ACTION}");
        self.last_installation_event(&self.reader, &action, about)
            .await
    }

    /// Whether a domain without a revision is new, and has not lost it.
    async fn is_new(&self, domain: Option<&str>, told: Option<i64>) -> Result<bool, Error> {
        if domain.is_some() {
            return Ok(told.is_none());
        }
        // Without organizations no decision was ever made.
        let organizations = organization::Entity::find().count(&self.reader).await?;
        let events = installation_event::Entity::find()
            .count(&self.reader)
            .await?;
        Ok(organizations == 0 && events == 0)
    }

    /// Records that policies of a domain are in force and that their approvals are used. Recording the last revision
    /// again adds none. Returns the number.
    pub async fn accept_policies(
        &self,
        domain: Option<&str>,
        new: &NewPolicyRevision,
        by: &AuditContext,
    ) -> Result<i64, Error> {
        let mut write = self.begin(by).await?;
        write.lock_installation().await?;
        let last = policy_revision::of_domain(domain)
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
        let newest = policy_revision::Entity::find()
            .order_by_desc(policy_revision::Column::Sequence)
            .one(&write.transaction)
            .await?;
        let sequence = newest.map_or(0, |newest| newest.sequence).saturating_add(1);
        let row = policy_revision::Model {
            sequence,
            whole_digest: new.whole_digest.clone(),
            policy_digest: new.policy_digest.clone(),
            manifest_version: version,
            files: json!(texts).to_string(),
            taken_as: new.taken_as.as_str().to_owned(),
            in_force_from: stored_time(new.in_force_from),
            event: 0,
            domain: domain.unwrap_or_default().to_owned(),
        };
        let entry = AuditEntry {
            action: Action::System(ACTION),
            resource: resource(&row.domain, sequence),
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

    /// The newest revision of a domain with this policy digest whose row and texts are authentic, with the texts.
    pub async fn policies_of_digest(
        &self,
        domain: Option<&str>,
        policy_digest: &str,
    ) -> Result<Option<(PolicyRevision, PolicyFiles)>, Error> {
        let rows = policy_revision::of_domain(domain)
            .filter(policy_revision::Column::PolicyDigest.eq(policy_digest))
            .limit(MAX_ROWS_OF_DIGEST)
            .all(&self.reader)
            .await?;
        for row in rows {
            let Some(revision) = self.authentic(&self.reader, row).await? else {
                continue;
            };
            if let Some(files) = self.policy_files(&revision).await? {
                return Ok(Some((revision, files)));
            }
        }
        Ok(None)
    }

    /// The authentic revisions of a domain, newest first.
    pub async fn policy_revisions(
        &self,
        domain: Option<&str>,
        limit: u64,
    ) -> Result<Vec<PolicyRevision>, Error> {
        let rows = policy_revision::of_domain(domain)
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
        texts_of(&self.reader, &revision.texts).await
    }

    /// The row, if it matches its event.
    pub(super) async fn authentic(
        &self,
        connection: &impl ConnectionTrait,
        row: policy_revision::Model,
    ) -> Result<Option<PolicyRevision>, Error> {
        let event = self.authentic_event(connection, row.event).await?;
        let is_authentic = event.is_some_and(|event| {
            event.action == format!("system.{ACTION}")
                && event.resource == resource(&row.domain, row.sequence)
                && is_told_by(&row, &event.changes)
        });
        Ok(is_authentic.then(|| of_row(row)).flatten())
    }
}

/// Whether an event's changes are those of this revision.
fn is_told_by(row: &policy_revision::Model, changes: &str) -> bool {
    let told = [facts(row), facts_before(row)];
    (told.into_iter()).any(|facts| Changes::created(facts).to_text() == changes)
}

/// The content of a revision's event, with texts as digests.
fn facts(row: &policy_revision::Model) -> Value {
    let mut facts = json!({
        "whole_digest": row.whole_digest,
        "policy_digest": row.policy_digest,
        "manifest_version": row.manifest_version,
        "files": digest(row.files.as_bytes()),
        "taken_as": row.taken_as,
        "in_force_from": timestamp::format_micros(row.in_force_from),
    });
    if let Some(facts) = facts.as_object_mut().filter(|_| !row.domain.is_empty()) {
        facts.insert("revision".to_owned(), row.sequence.into());
    }
    facts
}

/// The same as earlier programs recorded it, with the time in microseconds.
fn facts_before(row: &policy_revision::Model) -> Value {
    let mut facts = facts(row);
    if let Some(facts) = facts.as_object_mut() {
        let from = row.in_force_from.timestamp_micros();
        facts.insert("in_force_from".to_owned(), from.into());
    }
    facts
}

/// What the events of a revision are about. Those of a domain of one's own are found by its name, so that a domain
/// without rows is known to have had some.
fn resource(domain: &str, sequence: i64) -> String {
    if domain.is_empty() {
        return format!("{BUILT_IN}{sequence}");
    }
    format!("policy-domain-{domain}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_events_are_words_and_microseconds_of_before_count_still() {
        let row = policy_revision::Model {
            domain: String::new(),
            sequence: 1,
            whole_digest: "a".repeat(64),
            policy_digest: "b".repeat(64),
            manifest_version: None,
            files: "{}".to_owned(),
            taken_as: "edit".to_owned(),
            in_force_from: Timestamp::from_timestamp_micros(1_759_233_600_123_456).expect("a time"),
            event: 1,
        };
        let now = Changes::created(facts(&row)).to_text();
        assert!(
            now.contains(r#""in_force_from":"2025-09-30T12:00:00.123456Z""#),
            "{now}"
        );
        let before = now.replace(r#""2025-09-30T12:00:00.123456Z""#, "1759233600123456");
        for (changes, is_told) in [
            (&now, true),
            (&before, true),
            (&now.replace("edit", "stop"), false),
            (&before.replace("123456", "123457"), false),
        ] {
            assert_eq!(is_told_by(&row, changes), is_told, "{changes}");
        }
    }
}
