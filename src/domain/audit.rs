//! What an audit event records beside the change itself.

use super::timestamp::Timestamp;

/// Who did something, and on whose word it was allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The principal's typed id, or `operator` for a command on the machine.
    pub actor: String,
    /// The request that did it; `None` for commands.
    pub request_id: Option<String>,
    /// The digest of the policy set that allowed it; `None` for commands.
    pub policy_digest: Option<String>,
    /// When.
    pub at: Timestamp,
}
