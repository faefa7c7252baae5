//! Approvals of policy folders. An approval is for one step: from the revision in force when it was given, to a
//! folder. It is used once and can be withdrawn.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    sea_query::Expr,
};
use serde_json::{Value, json};

use super::audit::{Action, AuditEntry, Changes};
use super::entity::{installation_event, policy_approval, policy_revision, stored_time};
use super::{Error, Store};
use charter_domain::audit::AuditContext;
use charter_domain::id::ApprovalId;
use charter_domain::text;
use charter_domain::timestamp::Timestamp;

/// Audit action of an approval.
const APPROVED: &str = "ApprovePolicies";
/// Audit action of a withdrawal.
const WITHDRAWN: &str = "WithdrawApproval";

/// An approval to record.
#[derive(Debug, Clone)]
pub struct NewPolicyApproval {
    pub id: ApprovalId,
    /// Digest of the whole folder.
    pub whole_digest: String,
    /// The revision in force; 0 if none was known.
    pub base: i64,
    pub approved_by: String,
    pub reason: String,
}

/// A recorded approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyApproval {
    pub id: ApprovalId,
    /// `None` for the built-in one.
    pub domain: Option<String>,
    /// Digest of the whole folder.
    pub whole_digest: String,
    /// The revision in force; 0 if none was known.
    pub base: i64,
    pub approved_by: String,
    pub reason: String,
    pub approved_at: Timestamp,
    /// The resulting revision.
    pub used_by: Option<i64>,
    pub withdrawn_at: Option<Timestamp>,
}

/// A name as it is read, so that capitals, compatibility forms and invisible characters make nobody another person.
#[must_use]
pub fn normalized_approver(name: &str) -> String {
    text::as_read(name)
}

impl Store {
    /// Records an approval of a folder of a domain.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`] if another revision is in force.
    pub async fn approve_policies(
        &self,
        domain: Option<&str>,
        new: NewPolicyApproval,
        by: &AuditContext,
    ) -> Result<(), Error> {
        let mut write = self.begin(by).await?;
        write.lock_installation().await?;
        let base = policy_revision::of_domain(domain)
            .one(&write.transaction)
            .await?
            .map_or(0, |last| last.sequence);
        if base != new.base {
            return Err(Error::Stale);
        }
        let row = policy_approval::Model {
            id: new.id.uuid(),
            whole_digest: new.whole_digest,
            base,
            approved_by: new.approved_by,
            reason: new.reason,
            approved_at: stored_time(by.at),
            used_by: None,
            withdrawn_at: None,
            event: 0,
            domain: domain.unwrap_or_default().to_owned(),
        };
        let entry = AuditEntry {
            action: Action::Operator(APPROVED),
            resource: new.id.to_string(),
            changes: Changes::created(facts(&row)),
        };
        let event = write.record_for_installation(entry).await?;
        let row = policy_approval::Model { event, ..row };
        policy_approval::Entity::insert(row.into_active_model())
            .exec_without_returning(&write.transaction)
            .await?;
        write.commit().await
    }

    /// The valid approvals of this folder as the successor of that revision. The digest of a domain's folder covers
    /// the domain's name.
    pub async fn approvals_of(
        &self,
        whole_digest: &str,
        base: i64,
    ) -> Result<Vec<PolicyApproval>, Error> {
        use policy_approval::Column;
        let rows = policy_approval::Entity::find()
            .filter(Column::WholeDigest.eq(whole_digest))
            .filter(Column::Base.eq(base))
            .order_by_asc(Column::ApprovedAt)
            .all(&self.reader)
            .await?;
        let mut approvals = Vec::new();
        for row in rows {
            let event = self.authentic_event(&self.reader, row.event).await?;
            let said = Changes::created(facts(&row)).to_text();
            let approval = PolicyApproval::from(row);
            let id = approval.id.to_string();
            let is_authentic = event.is_some_and(|event| {
                event.action == format!("operator.{APPROVED}")
                    && event.resource == id
                    && event.changes == said
            });
            // By the audit log, not the row: an old copy of the row could have been restored.
            let withdrawn = format!("operator.{WITHDRAWN}");
            let about = installation_event::Column::Resource.eq(id);
            if is_authentic
                && self
                    .last_installation_event(&self.reader, &withdrawn, about)
                    .await?
                    .is_none()
            {
                approvals.push(approval);
            }
        }
        Ok(approvals)
    }

    pub async fn policy_approvals(&self) -> Result<Vec<PolicyApproval>, Error> {
        let rows = policy_approval::Entity::find()
            .order_by_desc(policy_approval::Column::ApprovedAt)
            .order_by_desc(policy_approval::Column::Id)
            .all(&self.reader)
            .await?;
        Ok(rows.into_iter().map(PolicyApproval::from).collect())
    }

    /// Withdraws an unused approval.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if it does not exist or is withdrawn; [`Error::Stale`] if it was used.
    pub async fn withdraw_approval(&self, id: ApprovalId, by: &AuditContext) -> Result<(), Error> {
        use policy_approval::Column;
        let mut write = self.begin(by).await?;
        write.lock_installation().await?;
        let row = policy_approval::Entity::find_by_id(id.uuid())
            .filter(Column::WithdrawnAt.is_null())
            .one(&write.transaction)
            .await?
            .ok_or(Error::NotFound)?;
        if row.used_by.is_some() {
            return Err(Error::Stale);
        }
        let entry = AuditEntry {
            action: Action::Operator(WITHDRAWN),
            resource: id.to_string(),
            changes: Changes::default(),
        };
        write.record_for_installation(entry).await?;
        policy_approval::Entity::update_many()
            .col_expr(Column::WithdrawnAt, Expr::value(stored_time(by.at)))
            .filter(Column::Id.eq(id.uuid()))
            .exec(&write.transaction)
            .await?;
        write.commit().await
    }
}

/// Records the revision that the approvals of a step led to.
pub(super) async fn mark_used(
    connection: &impl ConnectionTrait,
    whole_digest: &str,
    base: i64,
    revision: i64,
) -> Result<(), Error> {
    use policy_approval::Column;
    policy_approval::Entity::update_many()
        .col_expr(Column::UsedBy, Expr::value(revision))
        .filter(Column::WholeDigest.eq(whole_digest))
        .filter(Column::Base.eq(base))
        .filter(Column::WithdrawnAt.is_null())
        .exec(connection)
        .await?;
    Ok(())
}

fn facts(row: &policy_approval::Model) -> Value {
    let mut facts = json!({
        "whole_digest": row.whole_digest,
        "base": row.base,
        "approved_by": row.approved_by,
        "reason": row.reason,
    });
    if let Some(facts) = facts.as_object_mut().filter(|_| !row.domain.is_empty()) {
        facts.insert("domain".to_owned(), row.domain.as_str().into());
    }
    facts
}

impl From<policy_approval::Model> for PolicyApproval {
    fn from(row: policy_approval::Model) -> Self {
        Self {
            id: ApprovalId::from_uuid(row.id),
            domain: Some(row.domain).filter(|domain| !domain.is_empty()),
            whole_digest: row.whole_digest,
            base: row.base,
            approved_by: row.approved_by,
            reason: row.reason,
            approved_at: row.approved_at,
            used_by: row.used_by,
            withdrawn_at: row.withdrawn_at,
        }
    }
}
