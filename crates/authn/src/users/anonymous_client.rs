//! Clients without a credential: at registration, sign-in, links in emails.

use std::net::IpAddr;

use secrecy::SecretString;

use charter_store as store;

use super::error::UserError;

/// The client of a request without a credential.
#[derive(Debug, Clone)]
pub struct AnonymousClient {
    /// Its address, behind trusted proxies.
    pub ip: IpAddr,
    /// For the audit log.
    pub request_id: String,
    pub user_agent: Option<String>,
    /// Digest of the policies that allowed what it does; `None` if none was evaluated.
    pub policy_digest: Option<String>,
    pub device_cookies: Vec<SecretString>,
    /// Whether `if-match` or `if-none-match` of a write cannot hold.
    pub precondition_failed: bool,
}

impl AnonymousClient {
    /// Checks the precondition, after everything else that could refuse the write.
    ///
    /// # Errors
    ///
    /// The store's `Stale`.
    pub(super) fn require_precondition(&self) -> Result<(), UserError> {
        if self.precondition_failed {
            Err(store::Error::Stale.into())
        } else {
            Ok(())
        }
    }
}
