//! Sessions of people (contract section 5).

use super::caller::UserCaller;
use super::id::{SessionId, UserId};

/// SHA-256 of an opaque token: what is stored of it.
pub type TokenHash = [u8; 32];

/// A signed-in person as policy saw it. A write that rests on it finds it unchanged, or does not
/// happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionGuard {
    /// The session, not ended.
    pub session: SessionId,
    /// The person, not disabled and not removed.
    pub user: UserId,
    /// The role, the same.
    pub role: String,
}

impl SessionGuard {
    /// `None` for a person without a session, whom an operator asks about.
    pub fn of(caller: &UserCaller) -> Option<Self> {
        caller.session().map(|session| Self {
            session,
            user: caller.user().id,
            role: caller.user().role.clone(),
        })
    }
}
