//! What is asked of whoever remembers nonces.

use std::io;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::claim_error::ClaimError;
use super::status::Status;
use charter_budgets::Near;
use charter_domain::access_key::SpentNonce;
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

    /// What a write remembers of a nonce that was claimed, in its own transaction; `None` where no other process can
    /// claim it again.
    fn row_of(&self, _key: AccessKeyId, _nonce: &str, _date: Timestamp) -> Option<SpentNonce> {
        None
    }

    /// For readiness.
    fn status(&self) -> Status;

    /// Organizations that have used most of their share of nonces.
    fn near(&self) -> Vec<Near>;

    /// So many processes share the bounds from now on.
    fn share_among(&self, _replicas: usize) {}

    /// One round of upkeep.
    async fn maintain(&self);

    /// Upkeep each second, off the requests' path.
    async fn maintain_until(&self, stop: CancellationToken);

    /// Ends it. Every claim from then on is refused.
    ///
    /// # Errors
    ///
    /// When what the next start needs cannot be written; that one is then a careful one.
    async fn clean_stop(&self) -> io::Result<()>;
}
