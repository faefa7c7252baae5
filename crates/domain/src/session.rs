//! Sessions of users (contract section 5).

use super::caller::UserCaller;
use super::id::{SessionId, UserId};

/// SHA-256 of an opaque token; the token is not stored.
pub type TokenHash = [u8; 32];

/// The session and the role that a request was authorized with. Each write compares them with the locked rows and
/// fails if they have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionGuard {
    /// Must be open.
    pub session: SessionId,
    /// Must be active.
    pub user: UserId,
    /// Must be unchanged.
    pub role: String,
}

impl SessionGuard {
    /// `None` if the caller has no session because an operator named it.
    pub fn of(caller: &UserCaller) -> Option<Self> {
        caller.session().map(|session| Self {
            session,
            user: caller.user().id,
            role: caller.user().role.clone(),
        })
    }
}
