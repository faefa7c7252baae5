//! The configuration of the edge.

use std::time::Duration;

use ipnet::IpNet;

use super::body_limits::BodyLimits;
use super::request_log::RequestLog;

/// Limits without a setting.
#[derive(Debug, Clone, Copy)]
pub struct FixedLimits {
    /// Bytes of the request line and its header fields.
    pub max_head_bytes: usize,
    /// Number of header fields.
    pub max_headers: usize,
    /// From the first byte of a head to its end; for the first head, from the connection. See `wire::head_timeout`.
    pub head_timeout: Duration,
    /// For a client that does not read its response. Longer responses get more time, see [`crate::edge::traffic`].
    pub write_stall_timeout: Duration,
    /// How long data after a refused request is read and discarded.
    pub linger: Duration,
}

impl Default for FixedLimits {
    fn default() -> Self {
        Self {
            max_head_bytes: 16 * 1024,
            max_headers: 64,
            head_timeout: Duration::from_secs(10),
            write_stall_timeout: Duration::from_secs(30),
            linger: Duration::from_secs(2),
        }
    }
}

/// Limits and trusted proxies of the edge.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    pub fixed: FixedLimits,
    pub body: BodyLimits,
    /// From a request's head to its response.
    pub request_deadline: Duration,
    /// For a connection without traffic in either direction.
    pub idle_timeout: Duration,
    /// Bytes of all responses that clients have not read yet.
    pub answer_memory: usize,
    /// Concurrent requests on one HTTP/2 connection.
    pub max_streams: u32,
    /// After so many requests a connection is closed: `connection: close` on HTTP/1.1, GOAWAY on HTTP/2.
    pub max_requests_per_connection: u64,
    /// Concurrent connections; more wait in the operating system's queue.
    pub max_connections: usize,
    /// Of [`Self::max_connections`], those kept free: when only these are left, each new connection closes the oldest
    /// one without a request. 0: none is closed for another.
    pub reserved_connections: usize,
    /// Concurrent connections from one client network; more are closed. Trusted proxies are exempt.
    pub max_connections_per_peer: usize,
    /// After a stop was requested, how long connections are still served and asked to close.
    pub drain: Duration,
    /// Time for running requests when the server stops.
    pub graceful_timeout: Duration,
    /// Which requests are logged.
    pub requests: RequestLog,
    /// Whether requests create spans for export.
    pub traces: bool,
    /// Proxies whose `x-forwarded-for` is trusted.
    pub trusted_proxies: Vec<IpNet>,
}
