//! What an audit event records beside the change itself.

use super::id::AccessKeyId;
use super::session::SessionGuard;
use super::timestamp::Timestamp;

/// Who did something, and on whose word it was allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditContext {
    /// The principal's typed id, `operator` for a command on the machine, `system`, or `anonymous`.
    pub actor: String,
    /// The key that signed the request; `None` for people and commands. A write finds it alive.
    pub access_key: Option<AccessKeyId>,
    /// The standing that policy looked at; `None` for programs and commands. A write finds it
    /// unchanged.
    pub session_guard: Option<SessionGuard>,
    /// The request that did it; `None` for commands.
    pub request_id: Option<String>,
    /// The digest of the policy set that allowed it; `None` for commands.
    pub policy_digest: Option<String>,
    /// When.
    pub at: Timestamp,
}
