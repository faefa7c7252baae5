//! Who answers for which policy folder, in the place of which revision. An approval is for one step:
//! from the revision that was in force when it was given. It is used once, and may be withdrawn.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    sea_query::Expr,
};
use serde_json::{Value, json};

use super::audit::{Action, Changes, Entry};
use super::entity::{policy_approval, policy_revision, stored_time};
use super::{Error, Store};
use charter_domain::audit::AuditContext;
use charter_domain::id::ApprovalId;
use charter_domain::timestamp::Timestamp;

/// The command that approves.
const APPROVED: &str = "ApprovePolicies";
/// The command that takes it back.
const WITHDRAWN: &str = "WithdrawApproval";

/// Somebody's word for a folder.
#[derive(Debug, Clone)]
pub struct NewPolicyApproval {
    /// Its id.
    pub id: ApprovalId,
    /// Of the whole folder.
    pub whole_digest: String,
    /// The revision that was in force; 0 where none was known.
    pub base: i64,
    /// Who.
    pub approved_by: String,
    /// Why.
    pub reason: String,
}

/// Somebody's word for a folder, on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyApproval {
    /// Its id.
    pub id: ApprovalId,
    /// Of the whole folder.
    pub whole_digest: String,
    /// The revision that was in force; 0 where none was known.
    pub base: i64,
    /// Who.
    pub approved_by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub approved_at: Timestamp,
    /// The revision that came of it.
    pub used_by: Option<i64>,
    /// When it was taken back.
    pub withdrawn_at: Option<Timestamp>,
}

/// Who a name stands for, where people are counted: the same however it is capitalised.
#[must_use]
pub fn person(name: &str) -> String {
    name.to_lowercase()
}

impl Store {
    /// Records an approval.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`] if another revision is in force by now, and those of the database.
    pub async fn approve_policies(
        &self,
        new: NewPolicyApproval,
        by: &AuditContext,
    ) -> Result<(), Error> {
        let mut write = self.begin(by).await?;
        write.lock_installation().await?;
        let base = policy_revision::Entity::find()
            .order_by_desc(policy_revision::Column::Sequence)
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
        };
        let entry = Entry {
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

    /// The approvals that hold for this folder in the place of that revision.
    ///
    /// # Errors
    ///
    /// Those of the database.
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
            // By the trail, not by the row, which an old copy could have been put over.
            let withdrawn = format!("operator.{WITHDRAWN}");
            if is_authentic
                && self
                    .installation_events_of(&self.reader, &withdrawn, &id)
                    .await?
                    == 0
            {
                approvals.push(approval);
            }
        }
        Ok(approvals)
    }

    /// All approvals, newest first.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn policy_approvals(&self) -> Result<Vec<PolicyApproval>, Error> {
        let rows = policy_approval::Entity::find()
            .order_by_desc(policy_approval::Column::ApprovedAt)
            .order_by_desc(policy_approval::Column::Id)
            .all(&self.reader)
            .await?;
        Ok(rows.into_iter().map(PolicyApproval::from).collect())
    }

    /// Takes an approval back that was not used yet.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if there is no such approval or it is withdrawn already, [`Error::Stale`]
    /// if it was used, and those of the database.
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
        let entry = Entry {
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

/// Notes which revision came of the approvals of a step.
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
    json!({
        "whole_digest": row.whole_digest,
        "base": row.base,
        "approved_by": row.approved_by,
        "reason": row.reason,
    })
}

impl From<policy_approval::Model> for PolicyApproval {
    fn from(row: policy_approval::Model) -> Self {
        Self {
            id: ApprovalId::from_uuid(row.id),
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
