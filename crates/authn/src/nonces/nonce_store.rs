//! The interface of a nonce store.

use std::io;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::claim_error::ClaimError;
use super::status::Status;
use charter_budgets::Near;
use charter_domain::access_key::SpentNonce;
use charter_domain::id::{AccessKeyId, OrganizationId};
use charter_domain::timestamp::Timestamp;

#[async_trait]
pub trait NonceStore: Send + Sync {
    /// Claims `nonce` for `key`. `Ok` at most once for each pair while a request dated `date` can be accepted, also
    /// after a crash.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]: the request must be refused.
    async fn claim(
        &self,
        key: AccessKeyId,
        organization: OrganizationId,
        nonce: &str,
        date: Timestamp,
    ) -> Result<(), ClaimError>;

    /// The claimed nonce as a row of the write's own transaction; `None` if no other process can claim it again.
    fn row_of(&self, _key: AccessKeyId, _nonce: &str, _date: Timestamp) -> Option<SpentNonce> {
        None
    }

    /// For readiness.
    fn status(&self) -> Status;

    /// Organizations that have used most of their share of nonces.
    fn near(&self) -> Vec<Near>;

    /// Sets how many processes share the bounds.
    fn share_among(&self, _replicas: usize) {}

    async fn maintain(&self);

    /// Maintains it each second until `stop`.
    async fn maintain_until(&self, stop: CancellationToken);

    /// Stops it. Every later claim is refused.
    ///
    /// # Errors
    ///
    /// The state for the next start could not be written; that start closes what may be lost.
    async fn clean_stop(&self) -> io::Result<()>;
}
