//! The user service: its parts, and what its methods share.

use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::Notify;
use uuid::Uuid;

use charter_budgets::{Budgets, Payer, Resource};
use charter_domain::audit::{Actor, AuditContext};
use charter_domain::caller::UserCaller;
use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;
use charter_domain::id::{OrganizationId, UserId};
use charter_domain::session::{SessionGuard, TokenHash};
use charter_domain::timestamp::Timestamp;
use charter_domain::user::User;
use charter_store::{Purpose, Store};

use super::anonymous_client::AnonymousClient;
use super::error::{UserError, internal};
use super::refresh_tokens::RefreshTokens;
use super::rotations::Rotations;
use super::session_reads::SessionReads;
use crate::limits::rate_limit::RateLimits;
use crate::limits::{AnonymousLimits, LimitedAction};
use crate::secrets::access_token::AccessTokens;
use crate::secrets::device::DeviceKeys;
use crate::secrets::opaque_token::{OpaqueToken, SuccessorKeys};
use crate::secrets::password_pool::{PasswordPool, Requester};
use crate::users::link_mails::LinkMails;

/// The parts of the user service.
pub struct PortalUserParts {
    pub store: Arc<Store>,
    /// Approximate bytes of memory for cached sessions.
    pub memory: u64,
    pub tokens: AccessTokens,
    /// Derives the successors of refresh tokens.
    pub successors: SuccessorKeys,
    pub devices: DeviceKeys,
    pub passwords: PasswordPool,
    pub links: LinkMails,
    pub limits: Arc<dyn AnonymousLimits>,
    /// Requests of users.
    pub rates: Arc<RateLimits>,
    pub budgets: Arc<Budgets>,
    /// Notified when an email is added to the outbox.
    pub outbox: Arc<Notify>,
    /// Whether anonymous clients may register an organization.
    pub registration_is_open: bool,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// The user service: registration, sign-in, recovery (contract section 5).
pub struct PortalUsers {
    pub(super) parts: PortalUserParts,
    pub(super) session_reads: SessionReads,
    pub(super) rotations: Rotations,
    pub(super) refresh_tokens: RefreshTokens,
}

impl PortalUsers {
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

    /// The audit context of a user who changes themselves, which needs no policy.
    pub(super) fn by(&self, who: UserId, client: &AnonymousClient) -> AuditContext {
        self.audit_context(Actor::User(who), client)
    }

    /// The audit context of a user's own change, which its session must outlive.
    ///
    /// # Errors
    ///
    /// [`UserError::Internal`] for a caller without a session.
    pub(super) fn by_session(
        &self,
        caller: &UserCaller,
        client: &AnonymousClient,
    ) -> Result<AuditContext, UserError> {
        let guard = SessionGuard::of(caller);
        let guard = guard.ok_or_else(|| internal("a signed-in user has no session"))?;
        Ok(self.audit_context(Actor::Session(guard), client))
    }

    pub(super) fn audit_context(&self, actor: Actor, client: &AnonymousClient) -> AuditContext {
        AuditContext {
            actor,
            request_id: Some(client.request_id.clone()),
            policy_digest: client.policy_digest.clone(),
            at: self.now(),
            precondition_failed: client.precondition_failed,
        }
    }

    /// Counts a password to be hashed for a known user or invitation, or one that was right; not guesses of others,
    /// which would use up the organization's budget. Each user has a part of that budget, and is refused for its own
    /// use alone.
    ///
    /// # Errors
    ///
    /// [`UserError::TooMany`], [`UserError::Exhausted`].
    pub(super) async fn charge_hash(
        &self,
        whose: Uuid,
        organization: OrganizationId,
    ) -> Result<(), UserError> {
        let (budgets, payer) = (&self.parts.budgets, Payer::new(organization, whose));
        budgets.check_part(Resource::PasswordHashes, payer)?;
        let limits = &self.parts.limits;
        limits.count(LimitedAction::PasswordHash(whose)).await?;
        budgets.spend_as(Resource::PasswordHashes, payer, 1);
        Ok(())
    }

    /// The hash of a link's token, and the user it was sent to.
    ///
    /// # Errors
    ///
    /// [`UserError::InvalidLink`], and the store's.
    pub(super) async fn find_link(
        &self,
        token: &str,
        purpose: Purpose,
    ) -> Result<(TokenHash, User), UserError> {
        let token = OpaqueToken::parse(token).ok_or(UserError::InvalidLink)?;
        let store = &self.parts.store;
        let user = store.find_link(token.hash(), purpose, self.now()).await?;
        Ok((token.hash(), user.ok_or(UserError::InvalidLink)?))
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
