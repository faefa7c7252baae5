//! Inviting somebody into an organization, and accepting.

use std::time::Duration;

use secrecy::SecretString;

use crate::secrets::opaque_token::OpaqueToken;
use crate::secrets::password_pool::Waiter;
use charter_budgets::Resource;
use charter_domain::email::EmailAddress;
use charter_domain::id::{OrganizationId, UserId};
use charter_domain::organization::Organization;
use charter_store::{NewInvitation, NewUser, SessionRow};

use super::anonymous_client::AnonymousClient;
use super::refusal::{Refusal, invalid_link};
use super::service::PortalUsers;
use super::sign_in::SignedIn;

/// An organization that young may have been made in order to send mail (contract section 5).
const FIRST_DAY: Duration = Duration::from_hours(24);

/// What an invitation used of the limits on mails. Dropped, it is given back: only what sends a mail
/// uses them.
pub struct InvitationCharge<'a> {
    users: &'a PortalUsers,
    budget: Resource,
    organization: OrganizationId,
    email: EmailAddress,
    /// How many of the three were used, in the order in which they are.
    used: usize,
}

impl<'a> InvitationCharge<'a> {
    fn of(
        users: &'a PortalUsers,
        budget: Resource,
        organization: OrganizationId,
        email: &EmailAddress,
    ) -> Result<Self, Refusal> {
        let limits = &users.parts.limits;
        let mut charge = Self {
            users,
            budget,
            organization,
            email: email.clone(),
            used: 0,
        };
        users.parts.budgets.charge(budget, organization, 1)?;
        charge.used += 1;
        let by_one = (organization, email.clone());
        limits.invitation_mails.count(by_one)?;
        charge.used += 1;
        limits.invitation_mails_in_all.count(email.clone())?;
        charge.used += 1;
        Ok(charge)
    }

    /// The invitation is stored: its mail can be sent.
    pub fn keep(mut self) {
        self.used = 0;
        self.users.parts.outbox.notify_one();
    }
}

impl Drop for InvitationCharge<'_> {
    fn drop(&mut self) {
        let (parts, used) = (&self.users.parts, self.used);
        if used > 0 {
            let budgets = &parts.budgets;
            budgets.give_back(self.budget, self.organization, 1);
        }
        if used > 1 {
            let by_one = (self.organization, self.email.clone());
            parts.limits.invitation_mails.give_back(&by_one);
        }
        if used > 2 {
            let in_all = &parts.limits.invitation_mails_in_all;
            in_all.give_back(&self.email);
        }
    }
}

impl PortalUsers {
    /// An invitation with its mail, not stored yet, and what it was charged with.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooMany`] mails to that address, [`Refusal::Exhausted`]; [`Refusal::Internal`] if the mail cannot be sealed.
    pub fn prepare_invitation(
        &self,
        email: EmailAddress,
        role: String,
        into: &Organization,
    ) -> Result<(NewInvitation, InvitationCharge<'_>), Refusal> {
        let now = self.now();
        let budget = if now < into.created_at + FIRST_DAY {
            Resource::InvitationsFirstDay
        } else {
            Resource::Invitations
        };
        let charge = InvitationCharge::of(self, budget, into.id, &email)?;
        let (new, _link) = self.parts.links.invitation(email, role, into)?;
        Ok((new, charge))
    }

    /// Makes the invited person a member, whose address is verified by the link it got, and signs it
    /// in.
    ///
    /// # Errors
    ///
    /// [`Refusal::InvalidLink`], also where the address has come to belong to somebody;
    /// [`Refusal::Busy`], and the store's.
    pub async fn accept_invitation(
        &self,
        token: &str,
        password: SecretString,
        client: &AnonymousClient,
    ) -> Result<SignedIn, Refusal> {
        let hash = OpaqueToken::parse(token)
            .ok_or(Refusal::InvalidLink)?
            .hash();
        let found = self.parts.store.find_invitation(hash, self.now()).await?;
        let invitation = found.ok_or(Refusal::InvalidLink)?;
        self.charge_hash(invitation.id.uuid(), invitation.organization_id)?;
        // Who has the link is no stranger any more.
        let waiter = Waiter::Known(invitation.id.uuid().into_bytes());
        let password_hash = self.hash(password, waiter).await?;
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
