//! How often sessions are refreshed. Each refresh is a write and leaves a row, so who refreshes in a
//! loop is refused before anything is written.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use parking_lot::Mutex;

use crate::limits::{Exceeded, SlidingLimit};
use charter_domain::clock::Clock;
use charter_domain::id::{SessionId, UserId};
use charter_domain::session::TokenHash;
use charter_store::{self as store, SessionRow, Store};

use super::refusal::Refusal;

const MINUTE: Duration = Duration::from_mins(1);
/// A person's sessions together may refresh as often as so many of them.
const SESSIONS_OF_ONE: usize = 5;
/// A bound on memory only: what is forgotten is read again.
const MAX_TOKENS: u64 = 500_000;

/// Refreshes of each session, and of each person, in a minute.
pub struct RefreshLimit {
    limits: Option<Limits>,
    /// The tokens that were handed out or presented lately.
    tokens: Cache<TokenHash, Arc<Token>>,
}

struct Limits {
    sessions: SlidingLimit<SessionId>,
    people: SlidingLimit<UserId>,
}

struct Token {
    session: SessionRow,
    /// Several tabs may present one token at once: it is exchanged once, and counts once.
    is_counted: Mutex<bool>,
}

impl RefreshLimit {
    /// At most `per_minute` of one session; zero is no limit.
    #[must_use]
    pub fn new(per_minute: usize, clock: &Arc<dyn Clock>) -> Self {
        let limits = (per_minute > 0).then(|| Limits {
            sessions: SlidingLimit::new(per_minute, MINUTE, Arc::clone(clock)),
            people: SlidingLimit::new(
                per_minute.saturating_mul(SESSIONS_OF_ONE),
                MINUTE,
                Arc::clone(clock),
            ),
        });
        Self {
            limits,
            tokens: Cache::builder()
                .max_capacity(MAX_TOKENS)
                .time_to_idle(MINUTE)
                .build(),
        }
    }

    /// A token was handed out: presenting it needs no look into the store.
    pub(super) fn note(&self, token: TokenHash, session: SessionRow) {
        if self.limits.is_some() {
            self.token(token, session);
        }
    }

    /// Counts a refresh. What is no session's current token is not counted: nothing is written for it.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooMany`], and the store's.
    pub(super) async fn count(&self, presented: TokenHash, store: &Store) -> Result<(), Refusal> {
        let Some(limits) = &self.limits else {
            return Ok(());
        };
        if let Some(token) = self.find(presented, store).await? {
            token.count(limits)?;
        }
        Ok(())
    }

    async fn find(
        &self,
        presented: TokenHash,
        store: &Store,
    ) -> Result<Option<Arc<Token>>, store::Error> {
        if let Some(token) = self.tokens.get(&presented) {
            return Ok(Some(token));
        }
        let session = store.find_session_to_refresh(presented).await?;
        Ok(session.map(|session| self.token(presented, session)))
    }

    fn token(&self, hash: TokenHash, session: SessionRow) -> Arc<Token> {
        self.tokens.get_with(hash, || {
            Arc::new(Token {
                session,
                is_counted: Mutex::new(false),
            })
        })
    }
}

impl Token {
    fn count(&self, limits: &Limits) -> Result<(), Exceeded> {
        let mut is_counted = self.is_counted.lock();
        if !*is_counted {
            limits.sessions.count(self.session.id)?;
            limits.people.count(self.session.user)?;
            *is_counted = true;
        }
        Ok(())
    }
}
