//! Refresh: a refresh token is exchanged for its successor.

use std::time::Duration;

use crate::secrets::opaque_token::OpaqueToken;
use charter_domain::audit::{Actor, AuditContext};
use charter_domain::timestamp::Timestamp;
use charter_store::{self as store, Ending, Rotation, SessionRow};

use super::anonymous_client::AnonymousClient;
use super::error::{UserError, internal};
use super::rotations::Presented;
use super::service::PortalUsers;
use super::sign_in::SignedIn;

/// How long a spent refresh token gets the same successor again (contract section 5).
const GRACE: Duration = Duration::from_secs(10);

/// The result of one presented token.
enum Refreshed {
    SignedIn(SignedIn),
    /// It was used before, too long ago.
    Reused(SessionRow),
    Void,
}

impl PortalUsers {
    /// Exchanges a refresh token for its successor and an access token. A spent one gets the same successor for a
    /// moment; after that, its use ends the session.
    ///
    /// A browser may send several cookies of that name, for example of an earlier path: the first valid token is
    /// exchanged. A spent one ends its session only if none is valid.
    ///
    /// # Errors
    ///
    /// [`UserError::InvalidToken`], [`UserError::TooMany`], and the store's; its `Stale` if a good token comes with a
    /// precondition that fails.
    pub async fn refresh(
        &self,
        presented: &[OpaqueToken],
        client: &AnonymousClient,
    ) -> Result<SignedIn, UserError> {
        let mut reused = Vec::new();
        for token in presented {
            match self.refresh_one(token, client).await? {
                Refreshed::SignedIn(signed_in) => return Ok(signed_in),
                Refreshed::Reused(session) => reused.push(session),
                Refreshed::Void => {}
            }
        }
        for session in reused {
            tracing::warn!(
                session = %session.id,
                user = %session.user,
                client_ip = %client.ip,
                "a spent refresh token was used again, its session is ended"
            );
            // What a thief may have done ends it, whatever the request asks for.
            let by = AuditContext {
                precondition_failed: false,
                ..self.audit_context(Actor::Anonymous, client)
            };
            let why = Ending::Reuse(client.ip);
            self.parts.store.end_session(session, why, &by).await?;
        }
        Err(UserError::InvalidToken)
    }

    async fn refresh_one(
        &self,
        presented: &OpaqueToken,
        client: &AnonymousClient,
    ) -> Result<Refreshed, UserError> {
        let now = self.now();
        self.count_refresh(presented.hash()).await?;
        let (successor, key_id) = self
            .parts
            .successors
            .next(presented)
            .ok_or_else(|| internal("no refresh key is configured"))?;
        let rotation = if client.precondition_failed {
            self.parts.store.would_rotate(presented.hash(), now).await?
        } else {
            let rotation = self.rotations.rotate(Presented {
                hash: presented.hash(),
                successor: successor.hash(),
                key_id: key_id.to_owned(),
            });
            rotation.await?
        };
        match rotation {
            Rotation::Spent {
                session, spent_at, ..
            } if !is_within_grace(spent_at, now) => Ok(Refreshed::Reused(session)),
            Rotation::Void
            | Rotation::Spent {
                is_refreshable: false,
                ..
            } => Ok(Refreshed::Void),
            _ if client.precondition_failed => Err(store::Error::Stale.into()),
            Rotation::Rotated(session) => Ok(Refreshed::SignedIn(
                self.signed_in(session, successor, None)?,
            )),
            Rotation::Spent {
                session, key_id, ..
            } => match self.parts.successors.again(presented, &key_id) {
                Some(again) => Ok(Refreshed::SignedIn(self.signed_in(session, again, None)?)),
                None => Ok(Refreshed::Void),
            },
        }
    }
}

/// Absolute: a clock that was set back must not extend the time.
fn is_within_grace(spent_at: Timestamp, now: Timestamp) -> bool {
    (now - spent_at)
        .abs()
        .to_std()
        .is_ok_and(|passed| passed <= GRACE)
}
