//! A cache of the sessions of recently issued or presented refresh tokens.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::Mutex;

use charter_domain::session::TokenHash;
use charter_store::SessionRow;

/// Longer than the window of the limits.
const REMEMBERED_FOR: Duration = Duration::from_mins(2);
/// Bounds the memory: dropped entries are read again.
const MAX_TOKENS: u64 = 500_000;

pub(super) struct RefreshTokens(Cache<TokenHash, Arc<Token>>);

pub(super) struct Token {
    pub(super) session: SessionRow,
    /// Several tabs may present one token concurrently: it is exchanged and counted once.
    pub(super) is_counted: Mutex<bool>,
}

impl RefreshTokens {
    pub(super) fn new() -> Self {
        let tokens = Cache::builder().max_capacity(MAX_TOKENS);
        Self(tokens.time_to_idle(REMEMBERED_FOR).build())
    }

    /// Records an issued token.
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
