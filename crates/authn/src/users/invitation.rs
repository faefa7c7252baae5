//! Invitations into an organization, and accepting them.

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

/// A younger organization may have been registered to send spam (contract section 5).
const FIRST_DAY: Duration = Duration::from_hours(24);

impl PortalUsers {
    /// Creates an invitation, which `store` stores together with its email. If that fails, no email is sent or counted.
    ///
    /// # Errors
    ///
    /// [`UserError::TooMany`] for too many emails to that address, [`UserError::Exhausted`]; [`UserError::Internal`] if
    /// the email cannot be sealed; those of `store`.
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
        // On the heap: the store's future is large.
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

    /// Counts an action, and uncounts it if it fails.
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

    /// Makes the invited user a member with a verified address, and signs them in.
    ///
    /// # Errors
    ///
    /// [`UserError::InvalidLink`], also if the address belongs to a user by now; [`UserError::Busy`], and the store's.
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
        // The holder of the link is a known client.
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
