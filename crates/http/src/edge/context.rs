//! What the edge knows about a request before anybody is authenticated.

use std::net::IpAddr;

use salvo::Depot;

use crate::edge::body_limits::BodyLimits;
use crate::edge::request_facts::RequestFacts;
use crate::edge::request_id::RequestId;
use crate::respond::ApiError;

/// Facts about the request at hand, put into the depot by [`crate::edge::service::Edge`].
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// Its id, in both response headers and every log line.
    pub request_id: RequestId,
    /// Who is at the other end, trusted proxies seen through; [`crate::edge::client_ip::UNKNOWN`] if one of
    /// these sent no address.
    pub client_ip: IpAddr,
    /// How much of a body is read, and for how long.
    pub body_limits: BodyLimits,
    /// What is learnt about it on its way, for the log.
    pub facts: RequestFacts,
}

impl RequestContext {
    /// The context of the request that this depot belongs to.
    #[must_use]
    pub fn of(depot: &Depot) -> Option<&Self> {
        depot.get_typed::<Self>().ok()
    }

    /// The same for those behind the edge.
    pub fn behind_edge(depot: &Depot) -> Result<&Self, ApiError> {
        Self::of(depot).ok_or_else(|| ApiError::internal("the router was built without its edge"))
    }
}
