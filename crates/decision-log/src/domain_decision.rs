//! A decision of a domain of one's own, which knows nothing of organizations.

use std::sync::Arc;

use super::via::Via;
use charter_authz::custom_domain::Answered;
use charter_budgets::Payer;
use charter_domain::timestamp::Timestamp;

/// What is put on record of it.
#[derive(Debug)]
pub struct DomainDecision {
    /// The domain's name.
    pub domain: Arc<str>,
    /// Digest of its policies.
    pub policy_digest: Arc<str>,
    pub answered: Arc<Answered>,
    /// The caller whose own request it was about; its denials count against its organization's budget.
    pub payer: Option<Payer>,
}

/// In whose course it was taken.
#[derive(Debug, Clone, Copy)]
pub struct DomainAsker<'a> {
    /// When the request was authenticated.
    pub now: Timestamp,
    pub request_id: &'a str,
    pub via: Via,
    /// Whether somebody learns the id of an allowed decision, which then needs a line of its own.
    pub tells_id: bool,
}
