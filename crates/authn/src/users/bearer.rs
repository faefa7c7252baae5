//! Authenticates access tokens: verified tokens are cached until they expire (ADR 0013), sessions until a write
//! changes them (ADR 0028).

use std::sync::Arc;

use crate::credentials::Credentials;
use crate::rejection::Rejection;
use crate::secrets::access_token::TokenFault;
use charter_domain::caller::{Caller, UserCaller};

use super::service::PortalUsers;

impl PortalUsers {
    /// The user of a bearer token, as stored now.
    ///
    /// # Errors
    ///
    /// [`Rejection`]: malformed, expired, invalid, or of a session that has ended.
    pub async fn authenticate(&self, credentials: &Credentials<'_>) -> Result<Caller, Rejection> {
        let caller = self.find_user(credentials).await?;
        if let Some(session) = caller.session() {
            let organization = caller.organization().id;
            self.parts.rates.count_user(session, organization)?;
        }
        Ok(Caller::User(caller))
    }

    /// The same for a request that was counted already, after a slow body.
    ///
    /// # Errors
    ///
    /// As [`Self::authenticate`].
    pub async fn authenticate_again(
        &self,
        credentials: &Credentials<'_>,
    ) -> Result<Caller, Rejection> {
        self.find_user(credentials).await.map(Caller::User)
    }

    async fn find_user(&self, credentials: &Credentials<'_>) -> Result<Arc<UserCaller>, Rejection> {
        let claims = self
            .parts
            .tokens
            .verify(credentials.bearer()?, self.now())
            .map_err(|fault| match fault {
                TokenFault::Invalid => Rejection::InvalidToken,
                TokenFault::Expired => Rejection::TokenExpired,
            })?;
        let found = self
            .session_reads
            .find(claims.session)
            .await
            .map_err(Rejection::unavailable)?;
        let is_meant = |caller: &Arc<UserCaller>| {
            caller.user().is_active
                && caller.user().id == claims.user
                && caller.user().organization_id == claims.organization
                && caller.organization().id == claims.organization
        };
        found.filter(is_meant).ok_or(Rejection::InvalidToken)
    }

    /// The public keys of access tokens, as a JWK set (RFC 7517).
    #[must_use]
    pub fn public_keys(&self) -> jsonwebtoken::jwk::JwkSet {
        self.parts.tokens.public_keys()
    }
}
