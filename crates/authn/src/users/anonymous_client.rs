//! Clients that nobody knows yet: registration, sign-in, links in mails.

use std::net::IpAddr;

use secrecy::SecretString;

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
}
