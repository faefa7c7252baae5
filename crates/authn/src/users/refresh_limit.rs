//! Limits refreshes before the store is written, since each one is a write that leaves a row.

use crate::limits::LimitedAction;
use charter_domain::session::TokenHash;

use super::error::UserError;
use super::service::PortalUsers;

impl PortalUsers {
    /// Counts a refresh. Tokens that are not a session's current one are not counted, as nothing is written for them.
    ///
    /// # Errors
    ///
    /// [`UserError::TooMany`], and the store's.
    pub(super) async fn count_refresh(&self, presented: TokenHash) -> Result<(), UserError> {
        let token = match self.refresh_tokens.get(presented) {
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
            let of_user = LimitedAction::RefreshOfUser(session.user);
            limits.count(of_user).await?;
            *is_counted = true;
        }
        Ok(())
    }
}
