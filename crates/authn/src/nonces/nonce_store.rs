//! What is asked of whoever remembers nonces.

use async_trait::async_trait;

use super::claim_error::ClaimError;
use super::status::Status;
use charter_budgets::Near;
use charter_domain::id::{AccessKeyId, OrganizationId};
use charter_domain::timestamp::Timestamp;

/// Remembers which nonces were used.
#[async_trait]
pub trait NonceStore: Send + Sync {
    /// Claims `nonce` for `key`. `Ok` at most once for each pair while a request dated `date` can be accepted, and
    /// never again after a crash: the claim is durable by then.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]; the request must not be answered as if it had passed.
    async fn claim(
        &self,
        key: AccessKeyId,
        organization: OrganizationId,
        nonce: &str,
        date: Timestamp,
    ) -> Result<(), ClaimError>;

    /// For readiness.
    fn status(&self) -> Status;

    /// Organizations that have used most of their share of nonces.
    fn near(&self) -> Vec<Near>;
}
