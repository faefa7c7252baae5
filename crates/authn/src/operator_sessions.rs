//! Sessions of operators' browsers: the operator token is exchanged for one, so that pages do not store the token.
//!
//! They are in the memory of this process.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;
use charter_domain::session::TokenHash;

use crate::operator::Admission;
use crate::rejection::Rejection;
use crate::secrets::opaque_token::OpaqueToken;

/// Lifetime of a session; use does not extend it.
pub const LIFETIME: Duration = Duration::from_hours(1);

/// Beyond that, the session that expires first is dropped.
const MAX_SESSIONS: usize = 64;

/// The open sessions, by the hashes of their tokens.
pub struct OperatorSessions {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// When each ends, by the monotonic clock.
    ends: Mutex<HashMap<TokenHash, Duration>>,
}

impl OperatorSessions {
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            clock,
            entropy,
            ends: Mutex::default(),
        }
    }

    /// Opens a session for an operator who was authenticated by the token.
    #[must_use]
    pub fn open(&self, _by: Admission) -> OpaqueToken {
        let token = OpaqueToken::generate(&*self.entropy);
        let now = self.clock.monotonic();
        let mut ends = self.ends.lock();
        ends.retain(|_, end| now < *end);
        if ends.len() >= MAX_SESSIONS {
            let first = ends.iter().min_by_key(|(_, end)| **end);
            if let Some(first) = first.map(|(hash, _)| *hash) {
                ends.remove(&first);
            }
        }
        ends.insert(token.hash(), now.saturating_add(LIFETIME));
        token
    }

    /// # Errors
    ///
    /// [`Rejection::InvalidToken`] if no open session has this token.
    pub fn admit(&self, token: &OpaqueToken) -> Result<Admission, Rejection> {
        let now = self.clock.monotonic();
        match self.ends.lock().get(&token.hash()) {
            Some(end) if now < *end => Ok(Admission::by_session()),
            Some(_) | None => Err(Rejection::InvalidToken),
        }
    }

    /// Ends a session, if it is open.
    pub fn close(&self, token: &OpaqueToken) {
        self.ends.lock().remove(&token.hash());
    }
}

#[cfg(test)]
mod tests {
    use charter_domain::entropy::OsEntropy;

    use super::*;
    use crate::limits::stopped_clock::StoppedClock;

    #[test]
    fn sessions_end_by_time_by_hand_and_for_want_of_room() {
        let clock = Arc::new(StoppedClock::default());
        let sessions = OperatorSessions::new(clock.clone(), Arc::new(OsEntropy));
        let open = || sessions.open(Admission::by_session());
        let first = open();
        assert!(sessions.admit(&first).is_ok());
        assert!(sessions.admit(&OpaqueToken::generate(&OsEntropy)).is_err());
        sessions.close(&first);
        assert!(sessions.admit(&first).is_err());

        let old = open();
        clock.advance(LIFETIME / 2);
        let newer: Vec<_> = (0..MAX_SESSIONS).map(|_| open()).collect();
        assert!(sessions.admit(&old).is_err(), "it made room");
        assert!(newer.iter().all(|token| sessions.admit(token).is_ok()));
        clock.advance(LIFETIME);
        assert!(newer.iter().all(|token| sessions.admit(token).is_err()));
    }
}
