//! What is known about a request before authentication.

use std::net::IpAddr;

use salvo::Depot;

use crate::edge::body_limits::BodyLimits;
use crate::edge::request_facts::RequestFacts;
use crate::edge::request_id::RequestId;
use crate::respond::ApiError;

/// Facts about a request, put into the depot by [`crate::edge::service::Edge`].
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// In both response headers and every log line.
    pub request_id: RequestId,
    /// The client's address behind trusted proxies; [`crate::edge::client_ip::UNKNOWN`] if a proxy reported none.
    pub client_ip: IpAddr,
    pub body_limits: BodyLimits,
    /// Collected while the request is served, for the log.
    pub facts: RequestFacts,
}

impl RequestContext {
    /// The context of this depot's request.
    #[must_use]
    pub fn of(depot: &Depot) -> Option<&Self> {
        depot.get_typed::<Self>().ok()
    }

    /// Like [`Self::of`]; its absence is an internal error.
    pub fn behind_edge(depot: &Depot) -> Result<&Self, ApiError> {
        Self::of(depot).ok_or_else(|| ApiError::internal("the router was built without its edge"))
    }
}
