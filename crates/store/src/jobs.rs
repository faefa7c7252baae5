//! Jobs: work that a transaction leaves for later. A job is inserted in the transaction that causes it. Later it
//! is claimed, done and removed; after a failure it is claimed again.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _, LockBehavior, LockType};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::entity::job::{ActiveModel, Column, Entity, Model};
use super::entity::{invitation, one_time_token, stored_time};
use super::write::Write;
use super::{Error, Store};
use charter_domain::access_key::SealedSecret;
use charter_domain::id::{JobId, OrganizationId};
use charter_domain::session::TokenHash;
use charter_domain::timestamp::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// Send an email.
    Mail,
}

impl JobKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
        }
    }
}

/// A job to insert.
#[derive(Clone)]
pub struct NewJob {
    /// The seal of the content is bound to it.
    pub id: JobId,
    pub kind: JobKind,
    pub payload: SealedSecret,
    /// Hash of the token in the email's link.
    pub link: TokenHash,
    /// When the job becomes useless.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for NewJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewJob")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A job that this process may do until its claim ends.
#[derive(Clone)]
pub struct ClaimedJob {
    /// The seal of the content is bound to it.
    pub id: JobId,
    pub payload: SealedSecret,
    /// When the job becomes useless.
    pub expires_at: Timestamp,
    /// Number of previous attempts.
    pub attempts: u32,
    /// Hash of the token in the email's link, if recorded.
    pub link: Option<Vec<u8>>,
    /// The number of this attempt, as stored.
    attempt: i64,
}

/// The times of a claim.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    pub now: Timestamp,
    /// When others may claim the jobs.
    pub until: Timestamp,
    /// Jobs due later than this were written by a clock that was ahead, and count as due.
    pub latest: Timestamp,
}

impl Store {
    /// Claims due jobs of a kind, at most `limit`. A job that is neither [finished](Self::finish_job) nor
    /// [retried](Self::retry_job) is due again when the claim ends.
    pub async fn claim_jobs(
        &self,
        kind: JobKind,
        claim: Claim,
        limit: u64,
    ) -> Result<Vec<ClaimedJob>, Error> {
        // One after the other, so that an index finds each among many that wait.
        for rested in has_rested(claim) {
            let jobs = self.claim_among(is_due(kind, claim, rested), claim, limit);
            let jobs = jobs.await?;
            if !jobs.is_empty() {
                return Ok(jobs);
            }
        }
        Ok(Vec::new())
    }

    async fn claim_among(
        &self,
        is_due: Condition,
        claim: Claim,
        limit: u64,
    ) -> Result<Vec<ClaimedJob>, Error> {
        let due = Entity::find()
            .filter(is_due)
            .order_by_asc(Column::NotBefore);
        // Usually nothing is due; don't take the writer from others.
        if due.clone().one(&self.reader).await?.is_none() {
            return Ok(Vec::new());
        }
        let transaction = self.writer.begin().await?;
        // On SQLite the only writer is lock enough.
        let rows = due
            .limit(limit)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .all(&transaction)
            .await?;
        Entity::update_many()
            .col_expr(Column::ClaimedUntil, Expr::value(stored_time(claim.until)))
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .filter(Column::Id.is_in(rows.iter().map(|row| row.id)))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(rows.into_iter().map(ClaimedJob::from).collect())
    }

    /// Returns a job, to be due again at `not_before`.
    pub async fn retry_job(&self, job: &ClaimedJob, not_before: Timestamp) -> Result<(), Error> {
        let transaction = self.writer.begin().await?;
        Entity::update_many()
            .col_expr(Column::NotBefore, Expr::value(stored_time(not_before)))
            .col_expr(Column::ClaimedUntil, Expr::value(None::<Timestamp>))
            .filter(Column::Id.eq(job.id.uuid()))
            // Another process may have claimed it meanwhile.
            .filter(Column::Attempts.eq(job.attempt))
            .exec(&transaction)
            .await?;
        transaction.commit().await
    }

    /// Removes a job that is done or useless.
    pub async fn finish_job(&self, id: JobId) -> Result<(), Error> {
        let transaction = self.writer.begin().await?;
        Entity::delete_by_id(id.uuid()).exec(&transaction).await?;
        transaction.commit().await
    }

    /// Whether a link can still be used: not used, replaced or withdrawn.
    pub async fn is_link_open(&self, hash: &[u8]) -> Result<bool, Error> {
        let links = one_time_token::Entity::find_by_id(hash)
            .filter(one_time_token::Column::UsedAt.is_null())
            .count(&self.reader)
            .await?;
        let invitations = invitation::Entity::find()
            .filter(invitation::Column::Hash.eq(hash))
            .filter(invitation::Column::AcceptedAt.is_null())
            .filter(invitation::Column::RevokedAt.is_null())
            .count(&self.reader)
            .await?;
        Ok(links > 0 || invitations > 0)
    }
}

fn has_rested(claim: Claim) -> [Expr; 2] {
    let [now, latest] = [claim.now, claim.latest].map(stored_time);
    [Column::NotBefore.lte(now), Column::NotBefore.gt(latest)]
}

fn is_due(kind: JobKind, claim: Claim, has_rested: Expr) -> Condition {
    let [now, until] = [claim.now, claim.until].map(stored_time);
    let is_free = Column::ClaimedUntil
        .is_null()
        .or(Column::ClaimedUntil.lte(now))
        .or(Column::ClaimedUntil.gt(until));
    Condition::all()
        .add(Column::Kind.eq(kind.name()))
        .add(has_rested)
        .add(is_free)
}

impl From<Model> for ClaimedJob {
    fn from(row: Model) -> Self {
        Self {
            id: JobId::from_uuid(row.id),
            payload: SealedSecret {
                sealing_key_id: row.sealing_key_id,
                bytes: row.sealed_payload,
            },
            expires_at: row.expires_at,
            attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
            link: row.link_hash,
            attempt: row.attempts.saturating_add(1),
        }
    }
}

pub(super) async fn insert(
    write: &Write<'_>,
    organization: OrganizationId,
    job: NewJob,
) -> Result<(), Error> {
    let row = ActiveModel {
        id: Set(job.id.uuid()),
        kind: Set(job.kind.name().to_owned()),
        organization_id: Set(organization.uuid()),
        sealed_payload: Set(job.payload.bytes),
        sealing_key_id: Set(job.payload.sealing_key_id),
        attempts: Set(0),
        not_before: Set(write.at()),
        claimed_until: Set(None),
        expires_at: Set(stored_time(job.expires_at)),
        link_hash: Set(Some(job.link.to_vec())),
        created_at: Set(write.at()),
    };
    Entity::insert(row)
        .exec_without_returning(&write.transaction)
        .await?;
    Ok(())
}
