//! Arguments of handlers without authorization: checks the web origin, parses the input and describes the client
//! (contract section 5, `/api/auth`).

use std::future::Future;
use std::sync::Arc;

use salvo::http::HeaderMap;
use salvo::http::header::{AUTHORIZATION, USER_AGENT};
use salvo::hyper::body::Bytes;
use salvo::oapi::{Components, Operation as OpenApiOperation};
use salvo::{Depot, Request};

use charter_authn::secrets::opaque_token::OpaqueToken;
use charter_authn::users::AnonymousClient;
use charter_domain::caller::{Caller, UserCaller};

use crate::edge::context::RequestContext;
use crate::extract::argument::handler_argument;
use crate::extract::authenticate::authenticate;
use crate::extract::authorizer::Authorizer;
use crate::extract::input::{Input, RequestInput};
use crate::extract::operation::Accepts;
use crate::extract::query::Query;
use crate::extract::{body, cookie, security};
use crate::respond::{ApiError, ErrorType, error_document, etag};
use crate::state::{SharedState, State};

/// Longer `user-agent` values are truncated to so many characters.
const MAX_USER_AGENT: usize = 256;
/// Body limit of `/api/auth/*`, in bytes. The longest password, with all characters escaped, takes 3 KiB.
const MAX_BODY: usize = 4 * 1024;

/// A request without authentication.
pub struct Anonymous<I> {
    pub input: I,
    pub client: AnonymousClient,
    pub state: SharedState,
}

/// A request without authentication, from web pages of any origin.
pub struct AnyOrigin<I>(pub Anonymous<I>);

/// A request with refresh tokens.
pub struct CookieHolder<I> {
    /// At least one: a browser may hold cookies of one name for several paths.
    pub tokens: Vec<OpaqueToken>,
    pub request: Anonymous<I>,
}

/// A request with an access token, about the user's own sign-in.
pub struct SignedInUser<I> {
    pub caller: Arc<UserCaller>,
    pub authorizer: Authorizer,
    /// The refresh tokens of the request, for the one operation that reads them.
    pub cookies: Result<Vec<OpaqueToken>, ApiError>,
    pub request: Anonymous<I>,
}

/// A request with an optional access token, which must be valid if present.
pub struct PerhapsSignedIn<I> {
    /// `None` without a token.
    pub signed_in: Option<(Arc<UserCaller>, Authorizer)>,
    pub request: Anonymous<I>,
}

impl<I: Input> Anonymous<I> {
    async fn from_request(request: &mut Request, depot: &Depot) -> Result<Self, ApiError> {
        let (state, context) = origin_checked(request, depot)?;
        let body = body::read(request, &context.body_limits).await?;
        Self::read(request, state, &context, body)
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        I::describe(components, operation);
        for refusal in [ErrorType::Forbidden, ErrorType::RateLimitExceeded] {
            error_document::describe(components, operation, refusal);
        }
    }

    pub(super) fn read(
        request: &Request,
        state: SharedState,
        context: &RequestContext,
        body: Bytes,
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
            client: AnonymousClient {
                ip: context.client_ip,
                request_id: context.request_id.as_str().to_owned(),
                user_agent: user_agent(request.headers()),
                policy_digest: None,
                device_cookies: cookie::devices(request.headers()),
                precondition_failed: etag::fails_untagged_write(
                    request.method(),
                    request.headers(),
                )?,
            },
            state,
        })
    }

    /// Runs a write that continues if the client disconnects, so that it is atomic and attempts are counted.
    pub async fn run<T, F, R>(self, work: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(SharedState, I, AnonymousClient) -> R,
        R: Future<Output = Result<T, ApiError>> + Send + 'static,
    {
        let tasks = self.state.tasks.clone();
        tasks.run(work(self.state, self.input, self.client)).await
    }
}

impl<I: Input> AnyOrigin<I> {
    async fn from_request(request: &mut Request, depot: &Depot) -> Result<Self, ApiError> {
        let state = SharedState::of(depot)?;
        let context = RequestContext::behind_edge(depot)?;
        let body = body::read(request, &context.body_limits).await?;
        Anonymous::read(request, state, context, body).map(Self)
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        I::describe(components, operation);
    }
}

/// The client's user agent, shown in its list of sessions: visible ASCII, truncated.
fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(USER_AGENT)?.to_str().ok()?;
    let text: String = text.chars().take(MAX_USER_AGENT).collect();
    Some(text).filter(|text| !text.is_empty())
}

fn origin_checked(
    request: &Request,
    depot: &Depot,
) -> Result<(SharedState, RequestContext), ApiError> {
    let state = SharedState::of(depot)?;
    let mut context = RequestContext::behind_edge(depot)?.clone();
    context.body_limits = context.body_limits.at_most(MAX_BODY);
    state.origins.check(request.headers())?;
    Ok((state, context))
}

impl<I: Input> CookieHolder<I> {
    async fn from_request(request: &mut Request, depot: &Depot) -> Result<Self, ApiError> {
        let (state, context) = origin_checked(request, depot)?;
        // Credentials are checked before the body.
        let tokens = cookie::require_refresh_tokens(request.headers())?;
        let body = body::read(request, &context.body_limits).await?;
        Ok(Self {
            tokens,
            request: Anonymous::read(request, state, &context, body)?,
        })
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        Anonymous::<I>::describe(components, operation);
        error_document::describe(components, operation, ErrorType::Unauthorized);
    }
}

impl<I: Input> SignedInUser<I> {
    async fn from_request(request: &mut Request, depot: &Depot) -> Result<Self, ApiError> {
        let (state, context) = origin_checked(request, depot)?;
        let (caller, authorizer, body) = authenticate_user(request, &state, &context).await?;
        Ok(Self {
            caller,
            authorizer,
            cookies: cookie::refresh_tokens(request.headers()),
            request: Anonymous::read(request, state, &context, body)?,
        })
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        Anonymous::<I>::describe(components, operation);
        security::require_bearer(operation);
        error_document::describe(components, operation, ErrorType::Unauthorized);
    }
}

impl<I: Input> PerhapsSignedIn<I> {
    async fn from_request(request: &mut Request, depot: &Depot) -> Result<Self, ApiError> {
        let (state, context) = origin_checked(request, depot)?;
        let (signed_in, body) = if request.headers().contains_key(AUTHORIZATION) {
            let (caller, authorizer, body) = authenticate_user(request, &state, &context).await?;
            (Some((caller, authorizer)), body)
        } else {
            (None, body::read(request, &context.body_limits).await?)
        };
        Ok(Self {
            signed_in,
            request: Anonymous::read(request, state, &context, body)?,
        })
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        Anonymous::<I>::describe(components, operation);
        security::allow_bearer(operation);
        error_document::describe(components, operation, ErrorType::Unauthorized);
    }
}

handler_argument!(Anonymous<I: Input>);
handler_argument!(AnyOrigin<I: Input>);
handler_argument!(CookieHolder<I: Input>);
handler_argument!(SignedInUser<I: Input>);
handler_argument!(PerhapsSignedIn<I: Input>);

pub(super) async fn authenticate_user(
    request: &mut Request,
    state: &State,
    context: &RequestContext,
) -> Result<(Arc<UserCaller>, Authorizer, Bytes), ApiError> {
    let authenticated = authenticate(request, state, Accepts::Bearer, context).await?;
    let authorizer = Authorizer::new(state, &authenticated.caller, context);
    match authenticated.caller {
        Caller::User(caller) => Ok((caller, authorizer, authenticated.body)),
        Caller::ServiceAccount(_) => Err(ApiError::internal("a bearer token belongs to no user")),
    }
}
