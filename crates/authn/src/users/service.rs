//! The user service: what it is made of, and what all its parts use.

use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::Notify;
use uuid::Uuid;

use charter_budgets::{Budgets, Resource};
use charter_domain::audit::{Actor, AuditContext};
use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;
use charter_domain::id::{OrganizationId, UserId};
use charter_domain::timestamp::Timestamp;
use charter_store::Store;

use super::anonymous_client::AnonymousClient;
use super::error::UserError;
use super::refresh_tokens::RefreshTokens;
use super::rotations::Rotations;
use super::session_reads::SessionReads;
use crate::limits::rate_limit::RateLimits;
use crate::limits::{AnonymousLimits, LimitedAction};
use crate::secrets::access_token::AccessTokens;
use crate::secrets::device::DeviceKeys;
use crate::secrets::opaque_token::SuccessorKeys;
use crate::secrets::password_pool::{PasswordPool, Requester};
use crate::users::link_mails::LinkMails;

/// What the user service is made of.
pub struct PortalUserParts {
    /// Their rows.
    pub store: Arc<Store>,
    /// Bytes of memory for sessions in use, about.
    pub memory: u64,
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
    pub limits: Arc<dyn AnonymousLimits>,
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

/// The user service: people come in, prove who they are and get back in.
pub struct PortalUsers {
    pub(super) parts: PortalUserParts,
    pub(super) session_reads: SessionReads,
    pub(super) rotations: Rotations,
    pub(super) refresh_tokens: RefreshTokens,
}

impl PortalUsers {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: PortalUserParts) -> Self {
        Self {
            session_reads: SessionReads::new(
                Arc::clone(&parts.store),
                parts.memory,
                Arc::clone(&parts.clock),
            ),
            rotations: Rotations::new(Arc::clone(&parts.store), Arc::clone(&parts.clock)),
            refresh_tokens: RefreshTokens::new(),
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
            precondition_failed: client.precondition_failed,
        }
    }

    /// Counts a password that is about to be hashed for a person, or an invitation, that is known to
    /// have asked for it: never a stranger's guess, which would use up others' budget. Nobody has more
    /// than a part of what its organization has, so that something is left for the others.
    ///
    /// # Errors
    ///
    /// [`UserError::TooMany`], [`UserError::Exhausted`].
    pub(super) async fn charge_hash(
        &self,
        whose: Uuid,
        organization: OrganizationId,
    ) -> Result<(), UserError> {
        self.count_hash(whose).await?;
        let budgets = &self.parts.budgets;
        Ok(budgets.charge(Resource::PasswordHashes, organization, 1)?)
    }

    /// The same of a password that was hashed and turned out to be the person's own: what others of
    /// its organization used up does not keep it out.
    ///
    /// # Errors
    ///
    /// [`UserError::TooMany`].
    pub(super) async fn spend_hash(
        &self,
        whose: Uuid,
        organization: OrganizationId,
    ) -> Result<(), UserError> {
        self.count_hash(whose).await?;
        let budgets = &self.parts.budgets;
        budgets.spend(Resource::PasswordHashes, organization, 1);
        Ok(())
    }

    async fn count_hash(&self, whose: Uuid) -> Result<(), UserError> {
        let limits = &self.parts.limits;
        Ok(limits.count(LimitedAction::PasswordHash(whose)).await?)
    }

    pub(super) async fn hash(
        &self,
        password: SecretString,
        requester: Requester,
    ) -> Result<String, UserError> {
        let permit = self.parts.passwords.permit(requester).await?;
        Ok(self.parts.passwords.hash(permit, password).await?)
    }
}
