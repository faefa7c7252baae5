//! How often sessions are refreshed. Each refresh is a write and leaves a row, so who refreshes in a
//! loop is refused before anything is written.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::Mutex;

use crate::limits::LimitedAction;
use charter_domain::session::TokenHash;
use charter_store::SessionRow;

use super::error::UserError;
use super::service::PortalUsers;

/// Beyond the time that limits look back.
const LATELY: Duration = Duration::from_mins(2);
/// A bound on memory only: what is forgotten is read again.
const MAX_TOKENS: u64 = 500_000;

/// Whose the refresh tokens are that were handed out or presented lately, so that the store need not
/// be asked.
pub(super) struct RefreshTokens(Cache<TokenHash, Arc<Token>>);

struct Token {
    session: SessionRow,
    /// Several tabs may present one token at once: it is exchanged once, and counts once.
    is_counted: Mutex<bool>,
}

impl RefreshTokens {
    pub(super) fn new() -> Self {
        let tokens = Cache::builder().max_capacity(MAX_TOKENS);
        Self(tokens.time_to_idle(LATELY).build())
    }

    /// A token was handed out.
    pub(super) fn note(&self, token: TokenHash, session: SessionRow) {
        self.token(token, session);
    }

    fn token(&self, hash: TokenHash, session: SessionRow) -> Arc<Token> {
        self.0.get_with(hash, || {
            Arc::new(Token {
                session,
                is_counted: Mutex::new(false),
            })
        })
    }
}

impl PortalUsers {
    /// Counts a refresh. What is no session's current token is not counted: nothing is written for it.
    ///
    /// # Errors
    ///
    /// [`UserError::TooMany`], and the store's.
    pub(super) async fn count_refresh(&self, presented: TokenHash) -> Result<(), UserError> {
        let token = match self.refresh_tokens.0.get(&presented) {
            Some(token) => token,
            None => match self.parts.store.find_session_to_refresh(presented).await? {
                Some(session) => self.refresh_tokens.token(presented, session),
                None => return Ok(()),
            },
        };
        let mut is_counted = token.is_counted.lock().await;
        if !*is_counted {
            let (session, limits) = (token.session, &self.parts.limits);
            limits.count(LimitedAction::Refresh(session.id)).await?;
            let of_person = LimitedAction::RefreshOfPerson(session.user);
            limits.count(of_person).await?;
            *is_counted = true;
        }
        Ok(())
    }
}
