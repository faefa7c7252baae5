//! Sessions of people (contract section 5).

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
