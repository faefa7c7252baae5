//! How often sessions are refreshed. Each refresh is a write and leaves a row, so who refreshes in a
//! loop is refused before anything is written.

use crate::limits::LimitedAction;
use charter_domain::session::TokenHash;

use super::error::UserError;
use super::service::PortalUsers;

impl PortalUsers {
    /// Counts a refresh. What is no session's current token is not counted: nothing is written for it.
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
            let of_person = LimitedAction::RefreshOfPerson(session.user);
            limits.count(of_person).await?;
            *is_counted = true;
        }
        Ok(())
    }
}
