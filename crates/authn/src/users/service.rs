//! The user service: what it is made of, and what all its parts use.

use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::Notify;
use uuid::Uuid;

use charter_budgets::{Budgets, Resource};
use charter_domain::audit::{Actor, AuditContext};
use charter_domain::clock::Clock;
use charter_domain::email::EmailAddress;
use charter_domain::entropy::Entropy;
use charter_domain::id::{OrganizationId, UserId};
use charter_domain::timestamp::Timestamp;
use charter_store::Store;

use super::anonymous_client::AnonymousClient;
use super::refresh_limit::RefreshLimit;
use super::refusal::Refusal;
use super::rotations::Rotations;
use super::session_reads::SessionReads;
use crate::limits::rate_limit::RateLimits;
use crate::limits::{NetworkLimit, SignInAttempts, SlidingLimit};
use crate::secrets::access_token::AccessTokens;
use crate::secrets::device::DeviceKeys;
use crate::secrets::opaque_token::SuccessorKeys;
use crate::secrets::password_pool::{PasswordPool, Waiter};
use crate::users::link_mails::LinkMails;

/// What the user service is made of.
pub struct Parts {
    /// Their rows.
    pub store: Arc<Store>,
    /// Signs and verifies access tokens.
    pub tokens: AccessTokens,
    /// Derives successors of refresh tokens.
    pub successors: SuccessorKeys,
    /// Makes and reads device cookies.
    pub devices: DeviceKeys,
    /// Hashes passwords.
    pub passwords: PasswordPool,
    /// Makes links that are mailed.
    pub links: LinkMails,
    /// How often strangers may try.
    pub limits: Limits,
    /// How often people may ask.
    pub rates: Arc<RateLimits>,
    /// What organizations use of what everybody pays for.
    pub budgets: Arc<Budgets>,
    /// Told when a mail was put into the outbox.
    pub outbox: Arc<Notify>,
    /// Whether anybody may register an organization.
    pub registration_is_open: bool,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// How often strangers may try (contract section 5).
pub struct Limits {
    /// Registering, for each network.
    pub register: NetworkLimit,
    /// Signing in.
    pub sign_in: SignInAttempts,
    /// Asking for a link that resets a password, for each network.
    pub forgot: NetworkLimit,
    /// Mails that reset a password, to one address.
    pub reset_mails: SlidingLimit<EmailAddress>,
    /// Mails that verify an address, to one person beyond the first.
    pub verification_mails: SlidingLimit<UserId>,
    /// Invitations to one address from one organization.
    pub invitation_mails: SlidingLimit<(OrganizationId, EmailAddress)>,
    /// Invitations to one address, whoever invites.
    pub invitation_mails_in_all: SlidingLimit<EmailAddress>,
    /// Refreshes of one session.
    pub refreshes: RefreshLimit,
    /// Passwords hashed for one person or invitation, of what its organization may have hashed.
    pub hashes_of_one: SlidingLimit<Uuid>,
}

/// The user service: people come in, prove who they are and get back in.
pub struct PortalUsers {
    pub(super) parts: Parts,
    pub(super) session_reads: SessionReads,
    pub(super) rotations: Rotations,
}

impl PortalUsers {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            session_reads: SessionReads::new(Arc::clone(&parts.store), Arc::clone(&parts.clock)),
            rotations: Rotations::new(Arc::clone(&parts.store), Arc::clone(&parts.clock)),
            parts,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// What an audit event records of a person who acts for itself, without asking policy.
    pub(super) fn by(&self, who: UserId, client: &AnonymousClient) -> AuditContext {
        self.audit_context(Actor::Person(who), client)
    }

    /// The same of whoever acts without asking policy.
    pub(super) fn audit_context(&self, actor: Actor, client: &AnonymousClient) -> AuditContext {
        AuditContext {
            actor,
            request_id: Some(client.request_id.clone()),
            policy_digest: None,
            at: self.now(),
        }
    }

    /// Counts a password that is about to be hashed for a person, or an invitation, that is known to
    /// have asked for it: never a stranger's guess, which would use up others' budget. Nobody has more
    /// than a part of what its organization has, so that something is left for the others.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooMany`], [`Refusal::Exhausted`].
    pub(super) fn charge_hash(
        &self,
        whose: Uuid,
        organization: OrganizationId,
    ) -> Result<(), Refusal> {
        self.parts.limits.hashes_of_one.count(whose)?;
        let budgets = &self.parts.budgets;
        Ok(budgets.charge(Resource::PasswordHashes, organization, 1)?)
    }

    /// The same of a password that was hashed and turned out to be the person's own: what others of
    /// its organization used up does not keep it out.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooMany`].
    pub(super) fn spend_hash(
        &self,
        whose: Uuid,
        organization: OrganizationId,
    ) -> Result<(), Refusal> {
        self.parts.limits.hashes_of_one.count(whose)?;
        let budgets = &self.parts.budgets;
        budgets.spend(Resource::PasswordHashes, organization, 1);
        Ok(())
    }

    pub(super) async fn hash(
        &self,
        password: SecretString,
        waiter: Waiter,
    ) -> Result<String, Refusal> {
        let permit = self.parts.passwords.permit(waiter).await?;
        Ok(self.parts.passwords.hash(permit, password).await?)
    }
}
