//! Links in emails: a secret token, and the email that contains it, sealed for the outbox. The caller stores both in
//! one transaction.

use std::sync::Arc;
use std::time::Duration;

use charter_domain::clock::Clock;
use charter_domain::email::EmailAddress;
use charter_domain::entropy::Entropy;
use charter_domain::id::{InvitationId, JobId};
use charter_domain::organization::Organization;
use charter_domain::outgoing_email::{Email, EmailKind};
use charter_domain::timestamp::Timestamp;
use charter_store::{JobKind, NewInvitation, NewJob, NewLink, Purpose};
use secrecy::SecretString;

use crate::secrets::Sealer;
use crate::secrets::opaque_token::OpaqueToken;

/// How long each kind is valid (contract section 5).
const VERIFICATION: Duration = Duration::from_hours(24);
const RESET: Duration = Duration::from_hours(1);
const INVITATION: Duration = Duration::from_hours(48);

/// Creates links, for the service and operators' commands.
pub struct LinkMails {
    /// Seals queued emails.
    pub sealer: Arc<Sealer>,
    /// The base of links, without a trailing slash.
    pub base_url: String,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

#[derive(Debug, thiserror::Error)]
#[error("a mail cannot be sealed: {0}")]
pub struct NotSealed(String);

impl LinkMails {
    /// A link for a user.
    ///
    /// # Errors
    ///
    /// [`NotSealed`].
    pub fn link(&self, purpose: Purpose, to: &EmailAddress) -> Result<NewLink, NotSealed> {
        let (page, lifetime, kind) = match purpose {
            Purpose::VerifyEmail => ("verify-email", VERIFICATION, EmailKind::VerifyEmail),
            Purpose::ResetPassword => ("reset-password", RESET, EmailKind::ResetPassword),
        };
        let expires_at = self.clock.now() + lifetime;
        let token = OpaqueToken::generate(&*self.entropy);
        Ok(NewLink {
            purpose,
            hash: token.hash(),
            expires_at,
            mail: self.mail(&token, page, to, kind, expires_at)?,
        })
    }

    /// An invitation into an organization, and the link in its email.
    ///
    /// # Errors
    ///
    /// [`NotSealed`].
    pub fn invitation(
        &self,
        email: EmailAddress,
        role: String,
        into: &Organization,
    ) -> Result<(NewInvitation, SecretString), NotSealed> {
        let now = self.clock.now();
        let expires_at = now + INVITATION;
        let token = OpaqueToken::generate(&*self.entropy);
        let kind = EmailKind::Invitation {
            organization: name_in_mail(into).to_owned(),
            role: role.clone(),
        };
        let page = "accept-invitation";
        let new = NewInvitation {
            id: InvitationId::generate(now, &*self.entropy),
            hash: token.hash(),
            expires_at,
            mail: self.mail(&token, page, &email, kind, expires_at)?,
            role,
            email,
        };
        Ok((new, self.link_to(page, &token).into()))
    }

    fn link_to(&self, page: &str, token: &OpaqueToken) -> String {
        format!("{}/{page}?token={}", self.base_url, token.expose())
    }

    fn mail(
        &self,
        token: &OpaqueToken,
        page: &str,
        to: &EmailAddress,
        kind: EmailKind,
        expires_at: Timestamp,
    ) -> Result<NewJob, NotSealed> {
        let email = Email {
            to: to.to_string(),
            kind,
            link: self.link_to(page, token),
        };
        let failed = |error: &dyn std::fmt::Display| NotSealed(error.to_string());
        let content = serde_json::to_vec(&email).map_err(|error| failed(&error))?;
        let id = JobId::generate(self.clock.now(), &*self.entropy);
        let payload = self
            .sealer
            .seal_mail(&content, id, &*self.entropy)
            .map_err(|error| failed(&error))?;
        Ok(NewJob {
            id,
            kind: JobKind::Mail,
            payload,
            link: token.hash(),
            expires_at,
        })
    }
}

/// The organization's name in an email: mail programs turn names that look like addresses into links, and this server
/// is the sender.
fn name_in_mail(organization: &Organization) -> &str {
    if organization.name.reads_as_address() {
        &organization.slug
    } else {
        organization.name.as_str()
    }
}
