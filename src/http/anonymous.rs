//! The argument of the handlers that no policy decides: the web origin checked, the input parsed,
//! and what is known of who sends it (contract section 5, `/api/auth`).

use std::future::Future;
use std::sync::Arc;

use salvo::extract::{Extractible, Metadata};
use salvo::http::HeaderMap;
use salvo::http::header::COOKIE;
use salvo::oapi::{Components, EndpointArgRegister, Operation as OpenApiOperation};
use salvo::{Depot, Request};

use crate::authn::opaque_token::OpaqueToken;
use crate::authn::portal_user::{Refusal, Stranger};
use crate::domain::caller::{Caller, UserCaller};

use super::authenticate::authenticate;
use super::body;
use super::context::RequestContext;
use super::error::{self, ApiError, Code, ErrorType};
use super::input::RequestInput;
use super::openapi;
use super::operation::{Accepts, Input};
use super::portal::cookie::REFRESH_TOKEN;
use super::query::Query;
use super::state::State;

/// The largest body of a request that anybody may send, in bytes. The longest password, written in
/// escapes, needs 3 KiB.
const MAX_BODY: usize = 4 * 1024;

/// A request of somebody who shows no access token.
pub struct Anonymous<I> {
    /// What it says.
    pub input: I,
    /// Who sends it, as far as anybody knows.
    pub stranger: Stranger,
    /// The service.
    pub state: Arc<State>,
}

/// A request of somebody who shows a refresh token.
pub struct CookieHolder<I> {
    /// The token.
    pub token: OpaqueToken,
    /// The rest.
    pub request: Anonymous<I>,
}

/// A request of somebody who shows an access token, about that person's own sign-in.
pub struct SignedInPerson<I> {
    /// The person.
    pub person: Arc<UserCaller>,
    /// The refresh token that came with it, if it can be one.
    pub cookie: Option<OpaqueToken>,
    /// The rest.
    pub request: Anonymous<I>,
}

/// The refresh cookie as it came.
enum RefreshCookie {
    Missing,
    Malformed,
    Token(OpaqueToken),
}

impl<I: Input> Anonymous<I> {
    async fn from_request(request: &mut Request, depot: &Depot) -> Result<Self, ApiError> {
        let (state, context) = origin_checked(request, depot)?;
        let body = body::read(request, &context.body_limits).await?;
        Self::read(request, state, &context, body)
    }

    fn read(
        request: &Request,
        state: Arc<State>,
        context: &RequestContext,
        body: salvo::hyper::body::Bytes,
    ) -> Result<Self, ApiError> {
        let mut raw = RequestInput {
            method: request.method(),
            headers: request.headers(),
            path: request.params(),
            query: Query::parse(request.uri().query())?,
            body,
        };
        let input = I::read(&mut raw)?;
        raw.query.finish()?;
        Ok(Self {
            input,
            stranger: Stranger {
                client: context.client_ip,
                request_id: context.request_id.as_str().to_owned(),
            },
            state,
        })
    }

    /// Runs a write that goes on when the client hangs up, so that it is whole or absent, and a
    /// guess is counted.
    ///
    /// # Errors
    ///
    /// The work's own.
    pub async fn run<T, F, R>(self, work: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(Arc<State>, I, Stranger) -> R,
        R: Future<Output = Result<T, ApiError>> + Send + 'static,
    {
        let tasks = self.state.tasks.clone();
        tasks.run(work(self.state, self.input, self.stranger)).await
    }
}

impl RefreshCookie {
    fn of(headers: &HeaderMap) -> Self {
        let mut values = headers
            .get_all(COOKIE)
            .into_iter()
            // Other cookies may hold any bytes; ours is plain.
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
            .filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='))
            .filter(|(name, _)| *name == REFRESH_TOKEN);
        match (values.next(), values.next()) {
            (None, _) => Self::Missing,
            (Some((_, value)), None) => {
                OpaqueToken::parse(value).map_or(Self::Malformed, Self::Token)
            }
            (Some(_), Some(_)) => Self::Malformed,
        }
    }

    /// `MISSING_CREDENTIALS` without the cookie; `INVALID_TOKEN` if it is there twice, or cannot be
    /// one of ours.
    fn require(self) -> Result<OpaqueToken, ApiError> {
        match self {
            Self::Token(token) => Ok(token),
            Self::Missing => Err(ApiError::unauthorized(
                Code::MissingCredentials,
                "send the cookie `refresh_token` that the sign-in set",
            )),
            Self::Malformed => Err(Refusal::InvalidToken.into()),
        }
    }

    fn token(self) -> Option<OpaqueToken> {
        match self {
            Self::Token(token) => Some(token),
            Self::Missing | Self::Malformed => None,
        }
    }
}

fn origin_checked(
    request: &Request,
    depot: &Depot,
) -> Result<(Arc<State>, RequestContext), ApiError> {
    let state = State::of(depot)?;
    let mut context = RequestContext::of(depot)
        .cloned()
        .ok_or_else(|| ApiError::internal("the router was built without its edge"))?;
    context.body_limits = context.body_limits.at_most(MAX_BODY);
    state.origins.check(request.headers())?;
    Ok((state, context))
}

impl<'ex, I: Input> Extractible<'ex> for Anonymous<I> {
    fn metadata() -> &'static Metadata {
        static METADATA: Metadata = Metadata::new("");
        &METADATA
    }

    #[expect(refining_impl_trait, reason = "the error is this service's own")]
    async fn extract(request: &'ex mut Request, depot: &'ex mut Depot) -> Result<Self, ApiError> {
        Self::from_request(request, depot).await
    }
}

impl<I: Input> EndpointArgRegister for Anonymous<I> {
    fn register(components: &mut Components, operation: &mut OpenApiOperation, _: &str) {
        I::describe(components, operation);
        error::describe(components, operation, ErrorType::Forbidden);
    }
}

impl<'ex, I: Input> Extractible<'ex> for CookieHolder<I> {
    fn metadata() -> &'static Metadata {
        static METADATA: Metadata = Metadata::new("");
        &METADATA
    }

    #[expect(refining_impl_trait, reason = "the error is this service's own")]
    async fn extract(request: &'ex mut Request, depot: &'ex mut Depot) -> Result<Self, ApiError> {
        let (state, context) = origin_checked(request, depot)?;
        // Before the body, as every credential.
        let token = RefreshCookie::of(request.headers()).require()?;
        let body = body::read(request, &context.body_limits).await?;
        Ok(Self {
            token,
            request: Anonymous::read(request, state, &context, body)?,
        })
    }
}

impl<I: Input> EndpointArgRegister for CookieHolder<I> {
    fn register(components: &mut Components, operation: &mut OpenApiOperation, name: &str) {
        Anonymous::<I>::register(components, operation, name);
        error::describe(components, operation, ErrorType::Unauthorized);
    }
}

impl<'ex, I: Input> Extractible<'ex> for SignedInPerson<I> {
    fn metadata() -> &'static Metadata {
        static METADATA: Metadata = Metadata::new("");
        &METADATA
    }

    #[expect(refining_impl_trait, reason = "the error is this service's own")]
    async fn extract(request: &'ex mut Request, depot: &'ex mut Depot) -> Result<Self, ApiError> {
        let (state, context) = origin_checked(request, depot)?;
        let (ip, limits) = (context.client_ip, &context.body_limits);
        let (caller, body) = authenticate(request, &state, Accepts::Bearer, ip, limits).await?;
        let Caller::User(person) = caller else {
            return Err(ApiError::internal("a bearer token belongs to no person"));
        };
        Ok(Self {
            person,
            cookie: RefreshCookie::of(request.headers()).token(),
            request: Anonymous::read(request, state, &context, body)?,
        })
    }
}

impl<I: Input> EndpointArgRegister for SignedInPerson<I> {
    fn register(components: &mut Components, operation: &mut OpenApiOperation, name: &str) {
        Anonymous::<I>::register(components, operation, name);
        openapi::require_bearer(operation);
        error::describe(components, operation, ErrorType::Unauthorized);
    }
}
