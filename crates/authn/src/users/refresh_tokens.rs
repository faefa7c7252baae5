//! Whose the refresh tokens are that were handed out or presented lately.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::Mutex;

use charter_domain::session::TokenHash;
use charter_store::SessionRow;

/// Beyond the time that limits look back.
const LATELY: Duration = Duration::from_mins(2);
/// A bound on memory only: what is forgotten is read again.
const MAX_TOKENS: u64 = 500_000;

/// So that the store need not be asked.
pub(super) struct RefreshTokens(Cache<TokenHash, Arc<Token>>);

pub(super) struct Token {
    pub(super) session: SessionRow,
    /// Several tabs may present one token at once: it is exchanged once, and counts once.
    pub(super) is_counted: Mutex<bool>,
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

    pub(super) fn get(&self, hash: TokenHash) -> Option<Arc<Token>> {
        self.0.get(&hash)
    }

    pub(super) fn token(&self, hash: TokenHash, session: SessionRow) -> Arc<Token> {
        self.0.get_with(hash, || {
            Arc::new(Token {
                session,
                is_counted: Mutex::new(false),
            })
        })
    }
}
