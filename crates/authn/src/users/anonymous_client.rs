//! Clients that nobody knows yet: registration, sign-in, links in mails.

use std::net::IpAddr;

use secrecy::SecretString;

use charter_store as store;

use super::error::UserError;

/// A request without a credential: where it comes from and what its browser shows.
#[derive(Debug, Clone)]
pub struct AnonymousClient {
    /// The address of the client, trusted proxies already looked through.
    pub ip: IpAddr,
    /// The request, for the audit log.
    pub request_id: String,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
    /// The device cookies that it shows.
    pub device_cookies: Vec<SecretString>,
    /// Whether `if-match` or `if-none-match` of a request that changes something cannot hold.
    pub precondition_failed: bool,
}

impl AnonymousClient {
    /// For what is not refused by the end of its write.
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
