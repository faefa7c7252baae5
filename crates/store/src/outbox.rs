//! Mails that are still to be sent. A mail is put here within the transaction that it tells of, so
//! neither goes without the other; sending is somebody else's, later and again.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use super::entity::{invitation, one_time_token, outgoing_mail, stored_time};
use super::write::Write;
use super::{Error, Store};
use charter_domain::id::{MailId, OrganizationId};
use charter_domain::session::TokenHash;
use charter_domain::timestamp::Timestamp;

/// A mail to be put into the outbox.
#[derive(Clone)]
pub struct NewMail {
    /// Its id; the seal is bound to it.
    pub id: MailId,
    /// The sealed content.
    pub content: Vec<u8>,
    /// The key that sealed it.
    pub sealing_key_id: String,
    /// Of the token of its link.
    pub link: TokenHash,
    /// From then on it is of no use to anybody.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for NewMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewMail")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A mail in the outbox, taken to be sent.
#[derive(Clone)]
pub struct PendingMail {
    /// Its id; the seal is bound to it.
    pub id: MailId,
    /// The sealed content.
    pub content: Vec<u8>,
    /// The key that sealed it.
    pub sealing_key_id: String,
    /// From then on it is of no use to anybody.
    pub expires_at: Timestamp,
    /// How often sending was tried, this time not counted.
    pub attempts: u32,
    /// Whether its link cannot be followed any more: used, replaced or withdrawn.
    pub is_void: bool,
}

impl Store {
    /// Takes the mails that are due, at most `limit`, each until `lease`: nobody else takes them
    /// before that time, and if they are not [done](Self::mail_is_done) by then they are due again.
    /// So are those that rest until after `horizon`, longer than any lease.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn take_due_mails(
        &self,
        (now, horizon): (Timestamp, Timestamp),
        limit: u64,
        lease: impl Fn(u32) -> Timestamp + Send,
    ) -> Result<Vec<PendingMail>, Error> {
        use outgoing_mail::Column;
        let now = stored_time(now);
        let is_due = Column::NextAttemptAt
            .lte(now)
            .or(Column::NextAttemptAt.gt(stored_time(horizon)));
        let due = outgoing_mail::Entity::find()
            .filter(is_due)
            .order_by_asc(Column::NextAttemptAt)
            .limit(limit)
            .all(&self.reader)
            .await?;
        let mut taken = Vec::new();
        for row in due {
            let attempts = u32::try_from(row.attempts).unwrap_or(u32::MAX);
            let transaction = self.writer.begin().await?;
            let claimed = outgoing_mail::Entity::update_many()
                .col_expr(
                    Column::NextAttemptAt,
                    Expr::value(stored_time(lease(attempts))),
                )
                .col_expr(
                    Column::Attempts,
                    Expr::value(row.attempts.saturating_add(1)),
                )
                .filter(Column::Id.eq(row.id))
                .filter(Column::Attempts.eq(row.attempts))
                .exec(&transaction)
                .await?;
            transaction.commit().await?;
            // Another process may have been faster.
            if claimed.rows_affected == 1 {
                let is_void = self.is_void(row.link_hash).await?;
                taken.push(PendingMail {
                    id: MailId::from_uuid(row.id),
                    content: row.sealed_content,
                    sealing_key_id: row.sealing_key_id,
                    expires_at: row.expires_at,
                    attempts,
                    is_void,
                });
            }
        }
        Ok(taken)
    }

    /// A mail from before links were noted is taken for a good one.
    async fn is_void(&self, link: Option<Vec<u8>>) -> Result<bool, Error> {
        let Some(link) = link else { return Ok(false) };
        let links = one_time_token::Entity::find_by_id(link.clone())
            .filter(one_time_token::Column::UsedAt.is_null())
            .count(&self.reader)
            .await?;
        let invitations = invitation::Entity::find()
            .filter(invitation::Column::Hash.eq(link))
            .filter(invitation::Column::AcceptedAt.is_null())
            .filter(invitation::Column::RevokedAt.is_null())
            .count(&self.reader)
            .await?;
        Ok(links == 0 && invitations == 0)
    }

    /// Removes a mail that was sent, or that nobody will send.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn mail_is_done(&self, id: MailId) -> Result<(), Error> {
        let transaction = self.writer.begin().await?;
        outgoing_mail::Entity::delete_by_id(id.uuid())
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}

pub(super) async fn insert(
    write: &Write<'_>,
    organization: OrganizationId,
    mail: NewMail,
) -> Result<(), Error> {
    let row = outgoing_mail::ActiveModel {
        id: Set(mail.id.uuid()),
        organization_id: Set(organization.uuid()),
        sealed_content: Set(mail.content),
        sealing_key_id: Set(mail.sealing_key_id),
        attempts: Set(0),
        next_attempt_at: Set(write.at()),
        expires_at: Set(stored_time(mail.expires_at)),
        link_hash: Set(Some(mail.link.to_vec())),
        created_at: Set(write.at()),
    };
    outgoing_mail::Entity::insert(row)
        .exec_without_returning(&write.transaction)
        .await?;
    Ok(())
}
