//! What every request to the policy decision point has: a client with a token, and a JSON object.

use salvo::http::header::AUTHORIZATION;
use salvo::{Depot, FlowCtrl, Handler, Request, Response, async_trait};
use serde_json::{Map, Value};

use charter_authn::access_clients::AccessClient;
use charter_authn::credentials::{Credentials, Header};
use charter_authn::rejection::Rejection;

use crate::edge::body_limits::BodyLimits;
use crate::edge::context::RequestContext;
use crate::extract::authenticate::collect;
use crate::extract::{body, json};
use crate::respond::{ApiError, Code};
use crate::state::SharedState;

/// A thousand evaluations are larger than what the rest of the service takes.
const MAX_BODY: usize = 1024 * 1024;

/// The listener that a request came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// The operators': their token is taken, too.
    Operations,
    /// The one of `access.listen`.
    Access,
}

#[async_trait]
impl Handler for Listener {
    async fn handle(&self, _: &mut Request, depot: &mut Depot, _: &mut Response, _: &mut FlowCtrl) {
        depot.insert_typed(*self);
    }
}

/// The client that shows its token.
///
/// # Errors
///
/// UNAUTHORIZED.
pub(super) fn admit<'s>(
    request: &Request,
    depot: &Depot,
    state: &'s SharedState,
) -> Result<AccessClient<'s>, ApiError> {
    let context = RequestContext::behind_edge(depot)?;
    let shown = collect(request, context.client_ip).authorization;
    admit_as(AUTHORIZATION.as_str(), shown, request, depot, state)
}

/// The same for a token that is shown in the header of this name.
///
/// # Errors
///
/// UNAUTHORIZED.
pub(super) fn admit_as<'s>(
    header: &str,
    shown: Header<'_>,
    request: &Request,
    depot: &Depot,
    state: &'s SharedState,
) -> Result<AccessClient<'s>, ApiError> {
    let context = RequestContext::behind_edge(depot)?;
    let credentials = Credentials {
        authorization: shown,
        ..collect(request, context.client_ip)
    };
    let accept_operator = is_for_operators(depot);
    let admitted = state
        .access_clients
        .authenticate(&credentials, accept_operator);
    admitted.map_err(|rejection| refused(rejection, header, accept_operator))
}

/// In the words of this API: the token is one of the settings, and nobody signs in.
fn refused(rejection: Rejection, header: &str, accept_operator: bool) -> ApiError {
    let or_operator = if accept_operator {
        ", or the operator token"
    } else {
        ""
    };
    let message = match rejection {
        Rejection::MissingCredentials | Rejection::MalformedAuthorization(_) => {
            format!(
                "send `{header}: Bearer {{token}}` with a token of `access.tokens`{or_operator}"
            )
        }
        Rejection::AmbiguousCredentials => {
            format!("send one `{header}` header with one scheme, `Bearer`")
        }
        Rejection::InvalidToken => {
            format!("the token in `{header}` is none of `access.tokens`{or_operator}")
        }
        other => return other.into(),
    };
    ApiError::from(rejection).saying(message)
}

pub(super) fn is_for_operators(depot: &Depot) -> bool {
    depot
        .get_typed::<Listener>()
        .is_ok_and(|listener| *listener == Listener::Operations)
}

/// The body: a JSON object, whatever else it holds. Whatever is wrong with it is a 400 (`AuthZEN` section 10.1.2),
/// but for its size.
///
/// # Errors
///
/// `MALFORMED_JSON`, `WRONG_TYPE`; `PAYLOAD_TOO_LARGE`.
pub(super) async fn object(
    request: &mut Request,
    context: &RequestContext,
) -> Result<Map<String, Value>, ApiError> {
    let limits = BodyLimits {
        max_bytes: MAX_BODY.min(context.body_limits.memory.bytes()),
        ..context.body_limits.clone()
    };
    let bytes = body::read(request, &limits).await?;
    if body::require_json(request.method(), request.headers()).is_err() {
        return Err(ApiError::invalid(
            Code::MalformedJson,
            "the body must be `application/json`, and not compressed",
        ));
    }
    json::parse_object(&bytes)
}
