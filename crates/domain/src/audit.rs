//! The actor of a change and the context that its audit event records.

use std::fmt;

use super::access_key::KeyGuard;
use super::caller::Caller;
use super::id::{AccessKeyId, UserId};
use super::session::SessionGuard;
use super::timestamp::Timestamp;

/// The actor of a change. The store checks in the same transaction that what it states still holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A service account that signed the request: key, service account and account are active, roles and
    /// permissions unchanged.
    Key(KeyGuard),
    /// A user with an access token: the session is open and the role unchanged.
    Session(SessionGuard),
    /// A user whose password, link or refresh token the change itself checks.
    User(UserId),
    /// An unauthenticated client.
    Anonymous,
    /// A client that presented the secret of a key; the key is revoked.
    LeakReport,
    /// An operator's command, with the operator's name if the command asks for one.
    Operator(Option<String>),
    /// The service itself.
    System,
}

impl Actor {
    /// The actor of a request; `None` for a caller that an operator named.
    pub fn of(caller: &Caller) -> Option<Self> {
        match caller {
            Caller::ServiceAccount(caller) => KeyGuard::of(caller).map(Self::Key),
            Caller::User(caller) => SessionGuard::of(caller).map(Self::Session),
        }
    }

    /// Whether it is the caller of a request, whose credential may have been revoked since.
    pub const fn is_caller(&self) -> bool {
        matches!(self, Self::Key(_) | Self::Session(_))
    }

    pub const fn access_key(&self) -> Option<AccessKeyId> {
        match self {
            Self::Key(guard) => Some(guard.key),
            _ => None,
        }
    }
}

/// The form in audit events.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(guard) => guard.service_account.fmt(f),
            Self::Session(guard) => guard.user.fmt(f),
            Self::User(user) => user.fmt(f),
            Self::Anonymous => f.write_str("anonymous"),
            Self::LeakReport => f.write_str("leak-report"),
            Self::Operator(None) => f.write_str("operator"),
            Self::Operator(Some(name)) => write!(f, "operator:{name}"),
            Self::System => f.write_str("system"),
        }
    }
}

/// Who made a change, and which policies allowed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditContext {
    pub actor: Actor,
    /// `None` for commands.
    pub request_id: Option<String>,
    /// Digest of the policy set that allowed the change; `None` if no policy was evaluated.
    pub policy_digest: Option<String>,
    /// When the request came; the change itself may wait.
    pub at: Timestamp,
    /// Whether `if-match` or `if-none-match` cannot hold. The change is then refused at its end, so that all other
    /// refusals take precedence.
    pub precondition_failed: bool,
}
