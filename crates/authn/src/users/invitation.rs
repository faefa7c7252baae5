//! Inviting somebody into an organization, and accepting.

use std::time::Duration;

use secrecy::SecretString;

use crate::limits::LimitedAction;
use crate::secrets::opaque_token::OpaqueToken;
use crate::secrets::password_pool::Requester;
use charter_budgets::Resource;
use charter_domain::email::EmailAddress;
use charter_domain::id::UserId;
use charter_domain::organization::Organization;
use charter_store::{NewInvitation, NewUser, SessionRow};

use super::anonymous_client::AnonymousClient;
use super::error::{UserError, invalid_link};
use super::service::PortalUsers;
use super::sign_in::SignedIn;

/// An organization that young may have been made in order to send mail (contract section 5).
const FIRST_DAY: Duration = Duration::from_hours(24);

impl PortalUsers {
    /// Makes an invitation, which `store` stores together with its mail. What is not stored sends no
    /// mail, and uses nothing of what the organization may send.
    ///
    /// # Errors
    ///
    /// [`UserError::TooMany`] mails to that address, [`UserError::Exhausted`]; [`UserError::Internal`] if
    /// the mail cannot be sealed; those of `store`.
    pub async fn invite<T, E, R>(
        &self,
        email: EmailAddress,
        role: String,
        into: &Organization,
        store: impl FnOnce(NewInvitation) -> R,
    ) -> Result<T, E>
    where
        E: From<UserError>,
        R: Future<Output = Result<T, E>>,
    {
        let now = self.now();
        let budget = if now < into.created_at + FIRST_DAY {
            Resource::InvitationsFirstDay
        } else {
            Resource::Invitations
        };
        let budgets = &self.parts.budgets;
        let charged = budgets.charge(budget, into.id, 1);
        charged.map_err(UserError::from)?;
        let from_organization = LimitedAction::InvitationMail(into.id, email.clone());
        let from_anybody = LimitedAction::InvitationMailToAddress(email.clone());
        // On the heap: what the store needs is large.
        let stored = Box::pin(async {
            let invitation = self.parts.links.invitation(email, role, into);
            let (new, _link) = invitation.map_err(UserError::from)?;
            store(new).await
        });
        let stored = self.counted(from_anybody, stored);
        let stored = self.counted(from_organization, stored).await;
        match &stored {
            Ok(_) => self.parts.outbox.notify_one(),
            Err(_) => budgets.give_back(budget, into.id, 1),
        }
        stored
    }

    /// Counts an action, which counts for nothing if it fails.
    async fn counted<T, E: From<UserError>>(
        &self,
        action: LimitedAction,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let limits = &self.parts.limits;
        let counted = limits.count(action.clone()).await;
        counted.map_err(UserError::from)?;
        let done = work.await;
        if done.is_err() {
            limits.give_back(&action).await;
        }
        done
    }

    /// Makes the invited person a member, whose address is verified by the link it got, and signs it
    /// in.
    ///
    /// # Errors
    ///
    /// [`UserError::InvalidLink`], also where the address has come to belong to somebody;
    /// [`UserError::Busy`], and the store's.
    pub async fn accept_invitation(
        &self,
        token: &str,
        password: SecretString,
        client: &AnonymousClient,
    ) -> Result<SignedIn, UserError> {
        let hash = OpaqueToken::parse(token)
            .ok_or(UserError::InvalidLink)?
            .hash();
        let found = self.parts.store.find_invitation(hash, self.now()).await?;
        let invitation = found.ok_or(UserError::InvalidLink)?;
        self.charge_hash(invitation.id.uuid(), invitation.organization_id)
            .await?;
        // Who has the link is no stranger any more.
        let requester = Requester::Known(invitation.id.uuid().into_bytes());
        let password_hash = self.hash(password, requester).await?;
        let now = self.now();
        let new = NewUser {
            id: UserId::generate(now, &*self.parts.entropy),
            email: invitation.email.clone(),
            password_hash,
            role: invitation.role.clone(),
            email_verified_at: Some(now),
        };
        let by = self.by(new.id, client);
        let device = self.device_cookie(None, new.id, &new.password_hash);
        let (session, token) = self.begin_session(client);
        let row = SessionRow {
            id: session.id,
            user: new.id,
            organization: invitation.organization_id,
        };
        self.parts
            .store
            .accept_invitation(&invitation, hash, new, session, &by)
            .await
            .map_err(invalid_link)?;
        self.signed_in(row, token, device)
    }
}
