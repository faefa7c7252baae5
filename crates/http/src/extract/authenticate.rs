//! Authenticates a request: collects its credentials, and reads the body once the signature is verified.

use std::net::IpAddr;
use std::time::Duration;

use salvo::Request;
use salvo::hyper::body::Bytes;
use tracing::Instrument as _;

use charter_authn::credentials::{Credentials, Header, Scheme};
use charter_authn::signed::verify::Admitted;
use charter_domain::access_key::SpentNonce;
use charter_domain::caller::Caller;

use crate::edge::body_limits::BodyLimits;
use crate::edge::context::RequestContext;
use crate::edge::trace_context::stage;
use crate::extract::body;
use crate::extract::operation::Accepts;
use crate::respond::{ApiError, Challenge, Code};
use crate::state::State;

/// The client may have delayed a body that takes this long, so the credential is checked again after the body.
const SLOW_BODY: Duration = Duration::from_millis(100);

/// The caller of a request, and the body.
pub struct Authenticated {
    pub caller: Caller,
    /// The nonce for writes, if the request is signed.
    pub nonce: Option<SpentNonce>,
    pub body: Bytes,
}

impl Authenticated {
    const fn bearer(caller: Caller, body: Bytes) -> Self {
        Self {
            caller,
            nonce: None,
            body,
        }
    }
}

/// Authenticates the caller and reads the body. The error is the first failed check in the contract's order
/// (sections 2 and 3).
pub async fn authenticate(
    request: &mut Request,
    state: &State,
    accepts: Accepts,
    context: &RequestContext,
) -> Result<Authenticated, ApiError> {
    request.extensions_mut().insert(Challenge::from(accepts));
    let (limits, facts) = (&context.body_limits, &context.facts);
    let credentials = collect(request, context.client_ip);
    match (credentials.scheme()?, accepts) {
        (Scheme::Hmac, Accepts::Bearer) => {
            return Err(malformed("this operation takes a bearer token only"));
        }
        (Scheme::Hmac, Accepts::Signed | Accepts::SignedOrBearer) => {}
        (Scheme::Bearer, Accepts::Signed) => {
            return Err(malformed("this operation takes signed requests only"));
        }
        (Scheme::Bearer, Accepts::Bearer | Accepts::SignedOrBearer) => {
            let authenticating = state.portal_users.authenticate(&credentials);
            let caller = authenticating.instrument(stage("authenticate")).await?;
            facts.note_caller(&caller);
            let ReadBody { bytes, was_slow } = read_body(request, state, limits).await?;
            if !was_slow {
                return Ok(Authenticated::bearer(caller, bytes));
            }
            let credentials = collect(request, context.client_ip);
            let caller = state.portal_users.authenticate_again(&credentials).await?;
            return Ok(Authenticated::bearer(caller, bytes));
        }
    }
    let verifying = state.service_accounts.verify(&credentials);
    let mut verified = match verifying.instrument(stage("authenticate")).await {
        Ok(verified) => verified,
        Err(refused) => {
            match (&refused.signer, credentials.claimed_access_key()) {
                (Some(signer), _) => facts.note_caller(signer),
                (None, Some(access_key)) => facts.note_claimed_key(access_key),
                (None, None) => {}
            }
            return Err(refused.rejection.into());
        }
    };
    facts.note_caller(&verified.signer());
    let body = read_body(request, state, limits).await?;
    if body.was_slow {
        verified = state.service_accounts.verify_again(verified).await?;
    }
    let admitting = state.service_accounts.admit(verified, &body.bytes);
    let Admitted { caller, nonce } = admitting.instrument(stage("claim nonce")).await?;
    Ok(Authenticated {
        caller,
        nonce,
        body: body.bytes,
    })
}

struct ReadBody {
    bytes: Bytes,
    /// What was checked before may have changed since.
    was_slow: bool,
}

async fn read_body(
    request: &mut Request,
    state: &State,
    limits: &BodyLimits,
) -> Result<ReadBody, ApiError> {
    let began = state.clock.monotonic();
    let reading = body::read(request, limits);
    let bytes = reading.instrument(stage("read body")).await?;
    let was_slow = state.clock.monotonic().saturating_sub(began) >= SLOW_BODY;
    Ok(ReadBody { bytes, was_slow })
}

pub(crate) fn collect(request: &Request, source_ip: IpAddr) -> Credentials<'_> {
    let headers = request.headers();
    let target = request
        .uri()
        .path_and_query()
        .map_or("", |target| target.as_str());
    Credentials::collect(request.method().as_str(), target, source_ip, |name| {
        Header::of(headers.get_all(name).iter().map(AsRef::as_ref))
    })
}

fn malformed(why: &str) -> ApiError {
    ApiError::unauthorized(Code::MalformedAuthorization, why.to_owned())
}
