//! Who makes a change, and what its audit event records beside the change itself.

use std::fmt;

use super::access_key::KeyGuard;
use super::caller::Caller;
use super::id::{AccessKeyId, UserId};
use super::session::SessionGuard;
use super::timestamp::Timestamp;

/// Who makes a change. The store holds it against the database in the change's own transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A service account that signed the request: key, service account and account are active, roles and
    /// permissions the same.
    Key(KeyGuard),
    /// A person with an access token: the session is open, and the role the same.
    Session(SessionGuard),
    /// A person whom the change itself checks, by its password, link or refresh token.
    Person(UserId),
    /// Nobody known; the change acts on what was presented alone.
    Anonymous,
    /// Whoever showed the secret of a key, which ends it.
    LeakReport,
    /// A command on the machine, with the operator's name where one is asked for.
    Operator(Option<String>),
    /// The service itself.
    System,
}

impl Actor {
    /// Whoever made the request; `None` for a caller without a credential, whom an operator asks about.
    pub fn of(caller: &Caller) -> Option<Self> {
        match caller {
            Caller::ServiceAccount(caller) => KeyGuard::of(caller).map(Self::Key),
            Caller::User(caller) => SessionGuard::of(caller).map(Self::Session),
        }
    }

    /// Whether a request's credential made it, which may have ended since.
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

/// As audit events name it.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(guard) => guard.service_account.fmt(f),
            Self::Session(guard) => guard.user.fmt(f),
            Self::Person(user) => user.fmt(f),
            Self::Anonymous => f.write_str("anonymous"),
            Self::LeakReport => f.write_str("leak-report"),
            Self::Operator(None) => f.write_str("operator"),
            Self::Operator(Some(name)) => write!(f, "operator:{name}"),
            Self::System => f.write_str("system"),
        }
    }
}

/// Who did something, and on whose word it was allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditContext {
    pub actor: Actor,
    /// The request that did it; `None` for commands.
    pub request_id: Option<String>,
    /// The digest of the policy set that allowed it; `None` where policy was not asked.
    pub policy_digest: Option<String>,
    pub at: Timestamp,
}
