//! Who asks without a credential.

use std::net::IpAddr;

use secrecy::SecretString;

/// Who asks, as far as anybody knows.
#[derive(Debug, Clone)]
pub struct Stranger {
    /// Trusted proxies already looked through.
    pub client: IpAddr,
    /// The request, for the audit log.
    pub request_id: String,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
    /// The device cookies that it shows.
    pub device_cookies: Vec<SecretString>,
}
