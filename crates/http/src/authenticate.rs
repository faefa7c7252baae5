//! From a request to a caller: collects the raw pieces, reads the body once the signature has
//! verified, and turns `authn`'s rejections into answers.

use std::net::IpAddr;
use std::time::Duration;

use salvo::Request;
use salvo::hyper::body::Bytes;

use charter_authn::credentials::{Credentials, Header, Scheme};
use charter_authn::rejection::Rejection;
use charter_domain::caller::Caller;
use charter_domain::timestamp;

use super::body;
use super::context::RequestContext;
use super::error::{ApiError, Code};
use super::operation::Accepts;
use super::state::State;

/// Who sent the request, and its body.
///
/// # Errors
///
/// The first check that fails, in the contract's order (sections 2 and 3).
pub async fn authenticate(
    request: &mut Request,
    state: &State,
    accepts: Accepts,
    context: &RequestContext,
) -> Result<(Caller, Bytes), ApiError> {
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
            let caller = state.portal_users.authenticate(&credentials).await?;
            facts.note_caller(&caller);
            return Ok((caller, body::read(request, limits).await?));
        }
    }
    let verified = match state.service_accounts.verify(&credentials).await {
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
    let body = body::read(request, limits).await?;
    let caller = state.service_accounts.admit(verified, &body).await?;
    Ok((caller, body))
}

pub(super) fn collect(request: &Request, source_ip: IpAddr) -> Credentials<'_> {
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

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        let unauthorized = |code, message: &'static str| Self::unauthorized(code, message);
        match rejection {
            Rejection::MissingCredentials => {
                unauthorized(Code::MissingCredentials, "send an `authorization` header")
            }
            Rejection::AmbiguousCredentials => Self::invalid(
                Code::AmbiguousCredentials,
                "send one `authorization` header with one scheme",
            ),
            Rejection::MalformedAuthorization(why) => malformed(&why),
            Rejection::ClockSkew { server_time } => Self::unauthorized(
                Code::ClockSkew,
                format!(
                    "`x-date` is too far from the server's time, {}; set the clock right",
                    timestamp::format(server_time)
                ),
            ),
            Rejection::InvalidSignature { string_to_sign } => unauthorized(
                Code::InvalidSignature,
                "the signature does not fit this request and access key; compare `string_to_sign` \
                 with what was signed",
            )
            .with_string_to_sign(string_to_sign),
            Rejection::InvalidToken => unauthorized(
                Code::InvalidToken,
                "the access token is not valid, sign in again",
            ),
            Rejection::TokenExpired => unauthorized(
                Code::TokenExpired,
                "the access token has expired, refresh it",
            ),
            Rejection::BodyHashMismatch => unauthorized(
                Code::BodyHashMismatch,
                "`x-content-sha256` is not the hash of the body that arrived",
            ),
            Rejection::ReplayedNonce => unauthorized(
                Code::ReplayedNonce,
                "`x-nonce` was used before, sign anew with another",
            ),
            Rejection::KeyRevoked => unauthorized(Code::KeyRevoked, "the access key is revoked"),
            Rejection::KeyExpired => unauthorized(Code::KeyExpired, "the access key has expired"),
            Rejection::IpNotAllowed => unauthorized(
                Code::IpNotAllowed,
                "the access key may not be used from this address",
            ),
            Rejection::ServiceAccountDisabled => unauthorized(
                Code::ServiceAccountDisabled,
                "the service account or its account is inactive",
            ),
            Rejection::TooManyRequests { limit, retry_after } => Self::rate_limited(
                "too many requests with this credential or for this organization, slow down",
                limit,
                0,
                whole_seconds(retry_after),
            ),
            Rejection::Exhausted(exhausted) => exhausted.into(),
            Rejection::Unavailable { cause, retry_after } => {
                Self::unavailable(cause, whole_seconds(retry_after))
            }
            Rejection::Internal(cause) => Self::internal(cause),
        }
    }
}

/// At least one: a client told to wait no time at all would come back at once.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    let rounded_up = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    rounded_up.max(1)
}
